using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToGemini
{
    protected override void WriteAssistant(JsonElement message, string path)
    {
        foreach (var member in Members(message, path).OrderBy(member => member.Name switch { "reasoning_content" => 0, "content" => 1, _ => 2 }))
        {
            var at = $"{path}.{member.Name}";
            switch (member.Name)
            {
                case "role" or CacheControl:
                case var name when name != "reasoning_content" && IsSaidOfAnswers(name):
                case "content" when member.Value.ValueKind == JsonValueKind.String && member.Value.ValueEquals(""): // The provider takes no empty text.
                    break;
                case "content":
                    WriteContent(member.Value, at);
                    break;
                case "reasoning_content":
                    WriteText(member.Value, at, isThought: true);
                    break;
                case "tool_calls":
                    foreach (var (call, callPath) in Items(member.Value, at))
                    {
                        WriteCall(call, callPath);
                    }

                    break;
                default:
                    Gap(at);
                    break;
            }
        }
    }

    private void WriteCall(JsonElement call, string path)
    {
        if (Kind(call, path) != "function")
        {
            Gap($"{path}.type", "The provider knows calls of functions only.");
            return;
        }

        Others(call, path, "id", "type", "function", "index", "extra_content");
        if (Required(call, "id", path) is not { } id || Required(call, "function", path) is not { } function || Required(function, "name", $"{path}.function") is not { } name)
        {
            return;
        }

        Others(function, $"{path}.function", "name", "arguments", ParsedArguments);
        functions[Text(id, $"{path}.id")] = name;
        Json.WriteStartObject();
        Json.WriteStartObject("functionCall");
        Copy("id", id, JsonValueKind.String, $"{path}.id");
        Copy("name", name, JsonValueKind.String, $"{path}.function.name");
        WriteParsedObject("args", Required(function, "arguments", $"{path}.function") is { } arguments ? Text(arguments, $"{path}.function.arguments") : "", $"{path}.function.arguments");
        Json.WriteEndObject();
        WriteSignature(call, path);
        Json.WriteEndObject();
    }

    /// <summary>What the provider signed its thoughts with, which it wants back: where Google puts it when it speaks Chat.</summary>
    private void WriteSignature(JsonElement call, string path)
    {
        if (!call.TryGetProperty("extra_content", out var extra) || extra.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        Others(extra, $"{path}.extra_content", "google");
        if (Required(extra, "google", $"{path}.extra_content") is { } google)
        {
            Others(google, $"{path}.extra_content.google", "thought_signature");
            if (Required(google, "thought_signature", $"{path}.extra_content.google") is { } signature)
            {
                Copy("thoughtSignature", signature, JsonValueKind.String, $"{path}.extra_content.google.thought_signature");
            }
        }
    }

    protected override void WriteResult(JsonElement message, string path)
    {
        Others(message, path, "role", "tool_call_id", "name", "content", "is_error", CacheControl);
        if (Required(message, "tool_call_id", path) is not { } id || Required(message, "content", path) is not { } content)
        {
            return;
        }

        if (!functions.TryGetValue(Text(id, $"{path}.tool_call_id"), out var name))
        {
            Malformed($"{path}.tool_call_id", $"`{path}.tool_call_id` is of no call before it.");
            return;
        }

        Json.WriteStartObject();
        Json.WriteStartObject("functionResponse");
        Copy("id", id, JsonValueKind.String, $"{path}.tool_call_id");
        Json.WritePropertyName("name");
        Raw(name);
        Json.WriteStartObject("response");
        var said = IsFailed(message, path) ? "error" : "output";
        if (content.ValueKind == JsonValueKind.String)
        {
            Copy(said, content, JsonValueKind.String, $"{path}.content");
        }
        else
        {
            Json.WriteString(said, string.Concat(Items(content, $"{path}.content").Select(item => ResultText(item.Value, item.Path))));
        }

        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private string ResultText(JsonElement part, string path)
    {
        if (Kind(part, path) != "text")
        {
            Gap($"{path}.type", "The provider takes results of text only.");
            return "";
        }

        Others(part, path, "type", "text");
        return Required(part, "text", path) is { } text ? Text(text, $"{path}.text") : "";
    }

    private void WriteTools(JsonElement tools)
    {
        Json.WriteStartArray("tools");
        Json.WriteStartObject();
        Json.WriteStartArray("functionDeclarations");
        foreach (var (function, at, _) in Functions(tools))
        {
            hasTools = true;
            Json.WriteStartObject();
            foreach (var member in Members(function, at))
            {
                switch (member.Name)
                {
                    case "name" or "description":
                        Copy(member.Name, member.Value, JsonValueKind.String, $"{at}.{member.Name}");
                        break;
                    case "parameters":
                        Copy("parametersJsonSchema", member.Value, JsonValueKind.Object, $"{at}.parameters");
                        break;
                    case "strict":
                        strict |= Flag(member.Value, $"{at}.strict") == true;
                        break;
                    case CacheControl:
                        break;
                    default:
                        Gap($"{at}.{member.Name}");
                        break;
                }
            }

            Json.WriteEndObject();
        }

        Json.WriteEndArray();
        Json.WriteEndObject();
        Json.WriteEndArray();
    }

    /// <summary>Who wants a schema kept to gets the mode that keeps it: VALIDATED where calls are free, ANY where they must be.</summary>
    private void WriteToolConfig()
    {
        if (!hasTools || (toolChoice is null && !strict))
        {
            return;
        }

        JsonElement? only = null;
        var mode = strict ? "VALIDATED" : "AUTO";
        if (toolChoice is { ValueKind: JsonValueKind.Object } choice)
        {
            if (Kind(choice, "tool_choice") == "function" && Required(choice, "function", "tool_choice") is { } function)
            {
                (mode, only) = ("ANY", Required(function, "name", "tool_choice.function"));
            }
            else
            {
                Gap("tool_choice.type");
            }
        }
        else if (toolChoice is { } word)
        {
            mode = Text(word, "tool_choice") switch { "auto" => mode, "none" => "NONE", "required" => "ANY", _ => "" };
            if (mode.Length == 0)
            {
                Malformed("tool_choice", "`tool_choice` is `auto`, `none`, `required` or a function.");
            }
        }

        Json.WriteStartObject("toolConfig");
        Json.WriteStartObject("functionCallingConfig");
        Json.WriteString("mode", mode);
        if (only is { } name)
        {
            Json.WriteStartArray("allowedFunctionNames");
            Json.WriteStringValue(Text(name, "tool_choice.function.name"));
            Json.WriteEndArray();
        }

        Json.WriteEndObject();
        Json.WriteEndObject();
    }
}
