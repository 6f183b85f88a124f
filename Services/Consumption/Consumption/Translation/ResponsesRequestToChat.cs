using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Responses request for a Chat Completions provider. Chat forgets reasoning between calls, so reasoning items that this marketplace wrote (not encrypted) are left
/// out of the history. (https://platform.openai.com/docs/api-reference/responses/create)
/// </summary>
internal sealed partial class ResponsesRequestToChat : RequestReading
{
    private JsonElement? instructions;
    private JsonElement? input;
    private bool inAssistant;
    private bool inCalls;

    private ResponsesRequestToChat(TranslationOptions options)
        : base(options)
    {
    }

    public static TranslatedRequest Translate(ReadOnlyMemory<byte> body, TranslationOptions options) => new ResponsesRequestToChat(options).Run(body);

    protected override void Translate(JsonElement root)
    {
        foreach (var member in Members(root, ""))
        {
            Member(member.Name, member.Value);
        }

        Json.WriteStartArray("messages");
        if (instructions is { } text)
        {
            Json.WriteStartObject();
            Json.WriteString("role", "system");
            Copy("content", text, JsonValueKind.String, "instructions");
            Json.WriteEndObject();
        }

        if (input is null)
        {
            Malformed("input", "`input` is missing.");
        }
        else if (input is { ValueKind: JsonValueKind.String } only)
        {
            Json.WriteStartObject();
            Json.WriteString("role", "user");
            Copy("content", only, JsonValueKind.String, "input");
            Json.WriteEndObject();
        }
        else
        {
            foreach (var (item, path) in Items(input.Value, "input"))
            {
                WriteItem(item, path);
            }

            CloseAssistant();
        }

        Json.WriteEndArray();
    }

    /// <summary>The members that a response repeats, with the defaults of those that the request leaves out.</summary>
    protected override ReadOnlyMemory<byte> Echo(JsonElement root)
    {
        var output = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        foreach (var (name, otherwise) in new[]
        {
            ("instructions", "null"), ("max_output_tokens", "null"), ("metadata", "{}"), ("parallel_tool_calls", "true"), ("reasoning", "null"), ("temperature", "null"),
            ("text", """{"format":{"type":"text"}}"""), ("tool_choice", "\"auto\""), ("tools", "[]"), ("top_p", "null"), ("truncation", "\"disabled\""),
        })
        {
            json.WritePropertyName(name);
            json.WriteRawValue(root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetRawText() : otherwise);
        }

        json.WriteEndObject();
        json.Flush();
        return output.WrittenMemory;
    }

    private void Member(string name, JsonElement value)
    {
        switch (name)
        {
            case "model":
                WriteModel(value);
                break;
            case "instructions":
                instructions = value;
                break;
            case "input":
                input = value;
                break;
            case "max_output_tokens":
                Copy(Options.MaxTokensField, value, JsonValueKind.Number, name);
                break;
            case "temperature" or "top_p":
                Copy(name, value, JsonValueKind.Number, name);
                break;
            case "user" or "safety_identifier" or "prompt_cache_key":
                Copy(name, value, JsonValueKind.String, name);
                break;
            case "metadata" when Is(value, JsonValueKind.Object, name):
                break; // The response repeats it; it is not for the model.
            case "parallel_tool_calls" when Flag(value, name) is { } parallel:
                From(name);
                Json.WriteBoolean(name, parallel);
                break;
            case "stream" when Flag(value, name) == true:
                Json.WriteBoolean(name, true);
                Json.WriteStartObject("stream_options");
                Json.WriteBoolean("include_usage", true);
                Json.WriteEndObject();
                break;
            case "tools":
                WriteTools(value);
                break;
            case "tool_choice":
                WriteToolChoice(value);
                break;
            case "text":
                WriteTextOptions(value);
                break;
            case "reasoning":
                foreach (var option in Members(value, name))
                {
                    if (option.Name == "effort")
                    {
                        Copy("reasoning_effort", option.Value, JsonValueKind.String, "reasoning.effort");
                    }
                    else if (option.Name == "summary" && Middle is { Provider: Dialect.Gemini })
                    {
                        From("reasoning.summary");
                        Json.WriteBoolean("include_reasoning", true);
                    }
                    else if (option.Name is "summary" or "generate_summary")
                    {
                        Withhold(option.Value, $"reasoning.{option.Name}"); // A leave to show what there is: nothing, or all of it.
                    }
                    else
                    {
                        Gap($"reasoning.{option.Name}");
                    }
                }

                break;
            case "stream_options":
                foreach (var option in Members(value, name).Where(option => option.Value.ValueKind != JsonValueKind.False))
                {
                    Gap($"{name}.{option.Name}");
                }

                break;
            case "max_tool_calls": // Of the provider's own tools, of which it has none.
            case "stream":
            case "truncation" when value.ValueKind == JsonValueKind.String && value.ValueEquals("disabled"):
            case "include" when value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String && one.ValueEquals("reasoning.encrypted_content")):
                break; // What the provider does anyway; and what it signs is always included.
            case var _ when Asides.IsUsual(name, value):
                break;
            case var _ when Asides.OfResponses(name) is { } kind:
                Withhold(value, name, kind);
                break;
            default:
                Gap(name);
                break;
        }
    }

    private void WriteItem(JsonElement item, string path)
    {
        var kind = Is(item, JsonValueKind.Object, path) && !item.TryGetProperty("type", out _) ? "message" : Kind(item, path);
        switch (kind)
        {
            case "message":
                CloseAssistant();
                WriteMessage(item, path);
                break;
            case "function_call":
                WriteCall(item, path);
                break;
            case "function_call_output":
                CloseAssistant();
                Others(item, path, "type", "id", "call_id", "output", "status");
                From(path);
                Json.WriteStartObject();
                Json.WriteString("role", "tool");
                if (Required(item, "call_id", path) is { } id)
                {
                    Copy("tool_call_id", id, JsonValueKind.String, $"{path}.call_id");
                }

                if (Required(item, "output", path) is { } output)
                {
                    WriteContent(output, $"{path}.output", textOnly: Middle is null);
                }

                Json.WriteEndObject();
                break;
            case "reasoning":
                WriteReasoning(item, path);
                break;
            default:
                Gap($"{path}.type", $"Items of type `{kind}` have no counterpart in the provider's protocol.");
                break;
        }
    }

    private void WriteMessage(JsonElement item, string path)
    {
        Others(item, path, "type", "role", "content", "id", "status");
        var role = Required(item, "role", path) is { } value ? Text(value, $"{path}.role") : "";
        if (role is not ("user" or "assistant" or "system" or "developer"))
        {
            Malformed($"{path}.role", "`role` is `user`, `assistant`, `system` or `developer`.");
        }

        From(path);
        Json.WriteStartObject();
        From($"{path}.role");
        Json.WriteString("role", role == "developer" ? "system" : role);
        if (Required(item, "content", path) is { } content)
        {
            WriteContent(content, $"{path}.content", textOnly: role != "user");
        }

        // An assistant's message stays open: calls that follow belong to it.
        if (role == "assistant")
        {
            inAssistant = true;
        }
        else
        {
            Json.WriteEndObject();
        }
    }

    private void WriteCall(JsonElement item, string path)
    {
        if (!inAssistant)
        {
            inAssistant = true;
            Json.WriteStartObject();
            Json.WriteString("role", "assistant");
        }

        if (!inCalls)
        {
            inCalls = true;
            Json.WriteStartArray("tool_calls");
        }

        Others(item, path, "type", "id", "call_id", "name", "arguments", "status", ParsedArguments);
        From(path);
        Json.WriteStartObject();
        if (Required(item, "call_id", path) is { } id)
        {
            Copy("id", id, JsonValueKind.String, $"{path}.call_id");
        }

        Json.WriteString("type", "function");
        Json.WriteStartObject("function");
        foreach (var name in new[] { "name", "arguments" })
        {
            if (Required(item, name, path) is { } value)
            {
                Copy(name, value, JsonValueKind.String, $"{path}.{name}");
            }
        }

        Json.WriteEndObject();
        WriteSignature(signature);
        signature = null;
        Json.WriteEndObject();
    }

    private void CloseAssistant()
    {
        if (inCalls)
        {
            Json.WriteEndArray();
        }

        if (inAssistant)
        {
            Json.WriteEndObject();
        }

        (inCalls, inAssistant) = (false, false);
    }

    private void WriteContent(JsonElement content, string path, bool textOnly)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            Copy("content", content, JsonValueKind.String, path);
            return;
        }

        Json.WriteStartArray("content");
        foreach (var (part, at) in Items(content, path))
        {
            var kind = Kind(part, at);
            switch (kind)
            {
                case "input_text" or "output_text":
                    foreach (var member in Members(part, at))
                    {
                        if (member.Name is not ("type" or "text" or Parsed) && !(member.Value.ValueKind == JsonValueKind.Array && member.Value.GetArrayLength() == 0))
                        {
                            Gap($"{at}.{member.Name}");
                        }
                    }

                    WritePart("text", "text", part, "text", at);
                    break;
                case "refusal":
                    Others(part, at, "type", "refusal");
                    WritePart("refusal", "refusal", part, "refusal", at);
                    break;
                case "input_image" when !textOnly && part.TryGetProperty("image_url", out _):
                    Others(part, at, "type", "image_url", "detail");
                    WriteNested("image_url", part, at, ("image_url", "url"), ("detail", "detail"));
                    break;
                case "input_file" when !textOnly && part.TryGetProperty("file_data", out _):
                    Others(part, at, "type", "file_data", "filename");
                    WriteNested("file", part, at, ("file_data", "file_data"), ("filename", "filename"));
                    break;
                default:
                    Gap($"{at}.type", $"Parts of type `{kind}` have no counterpart here in the provider's protocol.");
                    break;
            }
        }

        Json.WriteEndArray();
    }

    private void WritePart(string type, string name, JsonElement part, string member, string path)
    {
        From(path);
        Json.WriteStartObject();
        Json.WriteString("type", type);
        if (Required(part, member, path) is { } text)
        {
            Copy(name, text, JsonValueKind.String, $"{path}.{member}");
        }

        Json.WriteEndObject();
    }

    private void WriteNested(string type, JsonElement part, string path, params ReadOnlySpan<(string From, string To)> members)
    {
        From(path);
        Json.WriteStartObject();
        Json.WriteString("type", type);
        Json.WriteStartObject(type);
        foreach (var (from, to) in members)
        {
            if (part.TryGetProperty(from, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                Copy(to, value, JsonValueKind.String, $"{path}.{from}");
            }
        }

        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private void WriteTools(JsonElement tools)
    {
        Json.WriteStartArray("tools");
        foreach (var (tool, path) in Items(tools, "tools"))
        {
            if (Kind(tool, path) != "function")
            {
                Gap($"{path}.type", "The provider knows tools of type `function` only.");
                continue;
            }

            Others(tool, path, "type", "name", "description", "parameters", "strict");
            From(path);
            Json.WriteStartObject();
            Json.WriteString("type", "function");
            Json.WriteStartObject("function");
            foreach (var member in Members(tool, path).Where(member => member.Name is "name" or "description" or "parameters" or "strict"))
            {
                From($"{path}.{member.Name}", isCopy: true);
                Json.WritePropertyName(member.Name);
                Raw(member.Value);
            }

            Json.WriteEndObject();
            Json.WriteEndObject();
        }

        Json.WriteEndArray();
    }

    private void WriteToolChoice(JsonElement choice)
    {
        if (choice.ValueKind == JsonValueKind.String)
        {
            Copy("tool_choice", choice, JsonValueKind.String, "tool_choice");
        }
        else if (Kind(choice, "tool_choice") == "function" && Required(choice, "name", "tool_choice") is { } name)
        {
            Others(choice, "tool_choice", "type", "name");
            From("tool_choice");
            Json.WriteStartObject("tool_choice");
            Json.WriteString("type", "function");
            Json.WriteStartObject("function");
            Copy("name", name, JsonValueKind.String, "tool_choice.name");
            Json.WriteEndObject();
            Json.WriteEndObject();
        }
        else
        {
            Gap("tool_choice.type");
        }
    }

    private void WriteTextOptions(JsonElement text)
    {
        foreach (var member in Members(text, "text"))
        {
            var path = $"text.{member.Name}";
            switch (member.Name)
            {
                case "verbosity":
                    Copy("verbosity", member.Value, JsonValueKind.String, path);
                    break;
                case "format" when Kind(member.Value, path) == "json_schema":
                    Others(member.Value, path, "type", "name", "description", "schema", "strict");
                    From(path);
                    Json.WriteStartObject("response_format");
                    Json.WriteString("type", "json_schema");
                    Json.WriteStartObject("json_schema");
                    foreach (var part in Members(member.Value, path).Where(part => part.Name is "name" or "description" or "schema" or "strict"))
                    {
                        From($"{path}.{part.Name}", isCopy: true);
                        Json.WritePropertyName(part.Name);
                        Raw(part.Value);
                    }

                    Json.WriteEndObject();
                    Json.WriteEndObject();
                    break;
                case "format" when Kind(member.Value, path) is "text" or "json_object":
                    Others(member.Value, path, "type");
                    From(path, isCopy: true);
                    Json.WritePropertyName("response_format");
                    Raw(member.Value);
                    break;
                default:
                    Gap(path);
                    break;
            }
        }
    }
}
