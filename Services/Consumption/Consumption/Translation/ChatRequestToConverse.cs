using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Chat Completions request for a Bedrock provider. The model and whether it streams stand in the path there, not in the body.
/// (https://platform.openai.com/docs/api-reference/chat/create, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html)
/// </summary>
internal sealed partial class ChatRequestToConverse : ChatRequestReading
{
    private readonly List<(string Name, JsonElement Value)> numbers = [];
    private readonly List<(string Name, JsonElement Value)> ofClaude = [];
    private JsonElement? stop;
    private JsonElement? tools;
    private JsonElement? toolChoice;
    private JsonElement? format;
    private long? maximum;

    private ChatRequestToConverse(TranslationOptions options)
        : base(options, "messages", "assistant", "content")
    {
    }

    protected override bool MergesTurns => true;

    public static TranslatedRequest Translate(ReadOnlyMemory<byte> body, TranslationOptions options) => new ChatRequestToConverse(options).Run(body);

    protected override void Translate(JsonElement root)
    {
        foreach (var member in Members(root, ""))
        {
            Member(member.Name, member.Value);
        }

        if (SystemTexts.Count > 0)
        {
            Json.WriteStartArray("system");
            WriteSystemTexts();
            Json.WriteEndArray();
        }

        WriteInferenceConfig();
        WriteToolConfig();
        WriteOutputConfig();
        WriteFieldsOfClaude();
    }

    private void Member(string name, JsonElement value)
    {
        switch (name)
        {
            case "messages":
                WriteMessages(value);
                break;
            case "max_tokens" or "max_completion_tokens":
                if (Is(value, JsonValueKind.Number, name) && value.TryGetInt64(out var tokens))
                {
                    maximum = Math.Max(maximum ?? 0, tokens);
                }

                break;
            case "temperature" when Number(value, name) is > 1:
                Gap(name, "The provider's `temperature` goes from 0 to 1.");
                break;
            case "temperature" when Is(value, JsonValueKind.Number, name):
                numbers.Add((name, value));
                break;
            case "top_p" when Is(value, JsonValueKind.Number, name):
                numbers.Add(("topP", value));
                break;
            case "stop":
                stop = value;
                break;
            case "stream_options":
                foreach (var option in Members(value, name).Where(option => option.Name != "include_usage" && option.Value.ValueKind != JsonValueKind.False))
                {
                    Gap($"{name}.{option.Name}");
                }

                break;
            case "tools":
                tools = value;
                break;
            case "tool_choice":
                toolChoice = value;
                break;
            case "response_format":
                format = value;
                break;
            case "thinking" or "top_k" when MayBeClaude:
                ofClaude.Add((name, value));
                break;
            case "thinking" or "top_k" when name == "top_k" || Kind(value, name) != "disabled":
                Gap(name, $"At this provider only Claude takes `{name}`.");
                break;
            case "user" or "safety_identifier":
                Withhold(value, name);
                break;
            case "stream":
                Flag(value, name);
                break;
            case "model" or "temperature" or "top_p" or "thinking":
            case "parallel_tool_calls" when value.ValueKind == JsonValueKind.True:
            case "n" when value.ValueKind == JsonValueKind.Number && value.GetRawText() == "1":
            case "logprobs" or "store" when value.ValueKind == JsonValueKind.False:
            case "presence_penalty" or "frequency_penalty" when Number(value, name) == 0:
            case "modalities" when value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String && one.ValueEquals("text")):
                break; // What the provider does anyway, and what is refused already.
            default:
                Gap(name);
                break;
        }
    }

    private void WriteInferenceConfig()
    {
        Json.WriteStartObject("inferenceConfig");
        if ((maximum ?? Options.MaxTokens) is { } tokens)
        {
            Json.WriteNumber("maxTokens", tokens);
        }

        foreach (var (name, value) in numbers)
        {
            Json.WritePropertyName(name);
            Raw(value);
        }

        if (stop is { } stops)
        {
            Json.WriteStartArray("stopSequences");
            foreach (var (text, path) in stops.ValueKind == JsonValueKind.String ? [(stops, "stop")] : Items(stops, "stop"))
            {
                Json.WriteStringValue(Text(text, path));
            }

            Json.WriteEndArray();
        }

        Json.WriteEndObject();
    }

    private void WriteOutputConfig()
    {
        var kind = format is { } wanted ? Kind(wanted, "response_format") : "text";
        if (kind == "text")
        {
            return;
        }

        if (kind != "json_schema")
        {
            Gap("response_format.type", $"The provider has no format `{kind}`.");
            return;
        }

        if (Required(format!.Value, "json_schema", "response_format") is not { } named || Required(named, "schema", "response_format.json_schema") is not { } schema
            || !Is(schema, JsonValueKind.Object, "response_format.json_schema.schema"))
        {
            return;
        }

        Others(named, "response_format.json_schema", "name", "description", "schema", "strict");
        Json.WriteStartObject("outputConfig");
        Json.WriteStartObject("textFormat");
        Json.WriteString("type", "json_schema");
        Json.WriteStartObject("structure");
        Json.WriteStartObject("jsonSchema");
        Json.WriteString("schema", schema.GetRawText());
        foreach (var name in (string[])["name", "description"])
        {
            if (named.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                Copy(name, value, JsonValueKind.String, $"response_format.json_schema.{name}");
            }
        }

        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private void WriteToolConfig()
    {
        if (tools is not { } given)
        {
            return;
        }

        Json.WriteStartObject("toolConfig");
        Json.WriteStartArray("tools");
        foreach (var (function, at) in Functions(given))
        {
            WriteTool(function, at);
        }

        Json.WriteEndArray();
        WriteToolChoice();
        Json.WriteEndObject();
    }

    private void WriteTool(JsonElement function, string at)
    {
        Others(function, at, "name", "description", "parameters", "strict");
        Json.WriteStartObject();
        Json.WriteStartObject("toolSpec");
        if (Required(function, "name", at) is { } name)
        {
            Copy("name", name, JsonValueKind.String, $"{at}.name");
        }

        foreach (var member in Members(function, at))
        {
            switch (member.Name)
            {
                case "description" when !member.Value.ValueEquals(""): // The provider takes no empty one.
                    Copy("description", member.Value, JsonValueKind.String, $"{at}.description");
                    break;
                case "strict" when Flag(member.Value, $"{at}.strict") is { } strict:
                    Json.WriteBoolean("strict", strict);
                    break;
                default:
                    break;
            }
        }

        Json.WriteStartObject("inputSchema");
        if (function.TryGetProperty("parameters", out var parameters) && parameters.ValueKind != JsonValueKind.Null)
        {
            Copy("json", parameters, JsonValueKind.Object, $"{at}.parameters");
        }
        else
        {
            Json.WritePropertyName("json");
            Json.WriteRawValue("""{"type":"object","properties":{}}""");
        }

        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private void WriteToolChoice()
    {
        if (toolChoice is not { } choice)
        {
            return;
        }

        if (choice.ValueKind == JsonValueKind.Object)
        {
            if (Kind(choice, "tool_choice") != "function")
            {
                Gap("tool_choice.type");
            }
            else if (Required(choice, "function", "tool_choice") is { } function && Required(function, "name", "tool_choice.function") is { } name)
            {
                Json.WriteStartObject("toolChoice");
                Json.WriteStartObject("tool");
                Copy("name", name, JsonValueKind.String, "tool_choice.function.name");
                Json.WriteEndObject();
                Json.WriteEndObject();
            }

            return;
        }

        switch (Text(choice, "tool_choice"))
        {
            case "auto":
                WriteChoice("auto");
                break;
            case "required":
                WriteChoice("any");
                break;
            case "none":
                Gap("tool_choice", "The provider cannot be given tools that it must not call.");
                break;
            default:
                Malformed("tool_choice", "`tool_choice` is `auto`, `none`, `required` or a function.");
                break;
        }
    }

    private void WriteChoice(string name)
    {
        Json.WriteStartObject("toolChoice");
        Json.WriteStartObject(name);
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    /// <summary>Characters that names of documents may have there.</summary>
    [GeneratedRegex(@"[^A-Za-z0-9\-\(\)\[\] ]|(?<= ) ")]
    private static partial Regex NotInNames();
}
