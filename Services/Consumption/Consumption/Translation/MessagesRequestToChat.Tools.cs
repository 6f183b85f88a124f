using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class MessagesRequestToChat
{
    private void WriteTools(JsonElement tools)
    {
        Json.WriteStartArray("tools");
        foreach (var (tool, path) in Items(tools, "tools"))
        {
            if (tool.ValueKind == JsonValueKind.Object && tool.TryGetProperty("type", out var type) && type.ValueKind != JsonValueKind.Null && Text(type, $"{path}.type") != "custom")
            {
                Gap($"{path}.type", "The provider does not have Anthropic's own tools.");
                continue;
            }

            From(path);
            Json.WriteStartObject();
            Json.WriteString("type", "function");
            Json.WriteStartObject("function");
            foreach (var member in Members(tool, path))
            {
                var at = $"{path}.{member.Name}";
                switch (member.Name)
                {
                    case "type":
                    case "eager_input_streaming": // How small the pieces of a stream are.
                    case "defer_loading" when member.Value.ValueKind == JsonValueKind.False:
                        break;
                    case "name" or "description":
                        Copy(member.Name, member.Value, JsonValueKind.String, at);
                        break;
                    case "input_schema":
                        Copy("parameters", member.Value, JsonValueKind.Object, at);
                        break;
                    case "strict" when Flag(member.Value, at) is { } strict:
                        From(at);
                        Json.WriteBoolean("strict", strict);
                        break;
                    case Hint:
                        Is(member.Value, JsonValueKind.Object, at);
                        break;
                    default:
                        Gap(at);
                        break;
                }
            }

            Json.WriteEndObject();
            Json.WriteEndObject();
        }

        Json.WriteEndArray();
    }

    private void WriteToolChoice(JsonElement choice)
    {
        const string At = "tool_choice";
        Others(choice, At, "type", "name", "disable_parallel_tool_use");
        From(At);
        switch (Kind(choice, At))
        {
            case "auto" or "none":
                Json.WriteString(At, choice.GetProperty("type").GetString());
                break;
            case "any":
                Json.WriteString(At, "required");
                break;
            case "tool" when Required(choice, "name", At) is { } name:
                Json.WriteStartObject(At);
                Json.WriteString("type", "function");
                Json.WriteStartObject("function");
                Copy("name", name, JsonValueKind.String, $"{At}.name");
                Json.WriteEndObject();
                Json.WriteEndObject();
                break;
            default:
                Malformed($"{At}.type", "`tool_choice.type` is `auto`, `any`, `tool` or `none`.");
                break;
        }

        if (choice.ValueKind == JsonValueKind.Object && choice.TryGetProperty("disable_parallel_tool_use", out var disable) && disable.ValueKind != JsonValueKind.Null && Flag(disable, $"{At}.disable_parallel_tool_use") == true)
        {
            From($"{At}.disable_parallel_tool_use");
            Json.WriteBoolean("parallel_tool_calls", false);
        }
    }

    private void WriteOutputConfig(JsonElement config)
    {
        foreach (var member in Members(config, "output_config"))
        {
            var at = $"output_config.{member.Name}";
            switch (member.Name)
            {
                case "effort":
                    Copy("reasoning_effort", member.Value, JsonValueKind.String, at);
                    break;
                case "format" when Kind(member.Value, at) == "json_schema" && Required(member.Value, "schema", at) is { } schema:
                    Others(member.Value, at, "type", "schema");
                    From(at);
                    Json.WriteStartObject("response_format");
                    Json.WriteString("type", "json_schema");
                    Json.WriteStartObject("json_schema");
                    Json.WriteString("name", "output");
                    Json.WriteBoolean("strict", true);
                    Copy("schema", schema, JsonValueKind.Object, $"{at}.schema");
                    Json.WriteEndObject();
                    Json.WriteEndObject();
                    break;
                default:
                    Gap(at);
                    break;
            }
        }
    }
}
