using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToMessages
{
    private void WriteTools(JsonElement tools)
    {
        Json.WriteStartArray("tools");
        foreach (var (function, at, hint) in Functions(tools))
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
                        Copy("input_schema", member.Value, JsonValueKind.Object, $"{at}.parameters");
                        break;
                    case "strict" when Flag(member.Value, $"{at}.strict") is { } strict:
                        Json.WriteBoolean("strict", strict);
                        break;
                    case CacheControl:
                        break;
                    default:
                        Gap($"{at}.{member.Name}");
                        break;
                }
            }

            if (!function.TryGetProperty("parameters", out var parameters) || parameters.ValueKind == JsonValueKind.Null)
            {
                Json.WritePropertyName("input_schema");
                Json.WriteRawValue("""{"type":"object","properties":{}}""");
            }

            WriteCacheHint(hint ?? HintOf(function, at));
            Json.WriteEndObject();
        }

        Json.WriteEndArray();
    }

    private void WriteToolChoice()
    {
        if (!hasTools || (toolChoice is null && parallel))
        {
            return;
        }

        string? name = null;
        var type = "auto";
        if (toolChoice is { ValueKind: JsonValueKind.Object } choice)
        {
            if (Kind(choice, "tool_choice") == "function" && Required(choice, "function", "tool_choice") is { } function && Required(function, "name", "tool_choice.function") is { } named)
            {
                (type, name) = ("tool", Text(named, "tool_choice.function.name"));
            }
            else
            {
                Gap("tool_choice.type");
            }
        }
        else if (toolChoice is { } word)
        {
            type = Text(word, "tool_choice") switch { "auto" => "auto", "none" => "none", "required" => "any", _ => "" };
            if (type.Length == 0)
            {
                Malformed("tool_choice", "`tool_choice` is `auto`, `none`, `required` or a function.");
            }
        }

        Json.WriteStartObject("tool_choice");
        Json.WriteString("type", type);
        if (name is not null)
        {
            Json.WriteString("name", name);
        }

        if (!parallel && type != "none")
        {
            Json.WriteBoolean("disable_parallel_tool_use", true);
        }

        Json.WriteEndObject();
    }

    /// <summary>Structured output and effort, which Messages has side by side.</summary>
    private void WriteOutputConfig()
    {
        var level = effort is { } asked ? Text(asked, "reasoning_effort") : null;
        if (level is not (null or "low" or "medium" or "high" or "xhigh" or "max"))
        {
            Gap("reasoning_effort", $"The provider has no effort `{level}`.");
            level = null;
        }

        JsonElement? schema = null;
        var kind = format is { } wanted ? Kind(wanted, "response_format") : "text";
        if (kind == "json_schema" && Required(format!.Value, "json_schema", "response_format") is { } named)
        {
            Others(named, "response_format.json_schema", "name", "schema", "strict");
            schema = Required(named, "schema", "response_format.json_schema");
        }
        else if (kind != "text")
        {
            Gap("response_format.type", $"The provider has no format `{kind}`.");
        }

        if (level is null && schema is null)
        {
            return;
        }

        Json.WriteStartObject("output_config");
        if (level is not null)
        {
            Json.WriteString("effort", level);
        }

        if (schema is { } shape)
        {
            Json.WriteStartObject("format");
            Json.WriteString("type", "json_schema");
            Copy("schema", shape, JsonValueKind.Object, "response_format.json_schema.schema");
            Json.WriteEndObject();
        }

        Json.WriteEndObject();
    }
}
