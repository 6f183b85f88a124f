using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Chat Completions request for a Gemini provider. The model and whether it streams stand in the path there, not in the body.
/// (https://platform.openai.com/docs/api-reference/chat/create, https://ai.google.dev/api/generate-content)
/// </summary>
internal sealed partial class ChatRequestToGemini : ChatRequestReading
{
    private readonly Dictionary<string, JsonElement> functions = [];
    private readonly List<(string Name, JsonElement Value)> numbers = [];
    private JsonElement? stop;
    private JsonElement? toolChoice;
    private JsonElement? effort;
    private JsonElement? thinking;
    private bool showsThoughts;
    private JsonElement? format;
    private bool strict;
    private bool hasTools;
    private long? maximum;

    private ChatRequestToGemini(TranslationOptions options)
        : base(options, "contents", "model", "parts")
    {
    }

    public static TranslatedRequest Translate(ReadOnlyMemory<byte> body, TranslationOptions options) => new ChatRequestToGemini(options).Run(body);

    protected override void Translate(JsonElement root)
    {
        foreach (var member in Members(root, ""))
        {
            Member(member.Name, member.Value);
        }

        WriteSystem();
        WriteToolConfig();
        WriteGenerationConfig();
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
            case "temperature" or "seed" when Is(value, JsonValueKind.Number, name):
                numbers.Add((name, value));
                break;
            case "top_p" when Is(value, JsonValueKind.Number, name):
                numbers.Add(("topP", value));
                break;
            case "top_k" when Is(value, JsonValueKind.Number, name):
                numbers.Add(("topK", value));
                break;
            case "presence_penalty" when Is(value, JsonValueKind.Number, name):
                numbers.Add(("presencePenalty", value));
                break;
            case "frequency_penalty" when Is(value, JsonValueKind.Number, name):
                numbers.Add(("frequencyPenalty", value));
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
                WriteTools(value);
                break;
            case "tool_choice":
                toolChoice = value;
                break;
            case "response_format":
                format = value;
                break;
            case "reasoning_effort":
                effort = value;
                break;
            case "thinking":
                thinking = value;
                break;
            case "include_reasoning":
                showsThoughts = Flag(value, name) == true;
                break;
            case "user" or "safety_identifier":
                Withhold(value, name);
                break;
            case "stream":
                Flag(value, name);
                break;
            case "model" or "temperature" or "seed" or "top_p" or "top_k" or "presence_penalty" or "frequency_penalty":
            case "parallel_tool_calls" when value.ValueKind == JsonValueKind.True:
            case "n" when value.ValueKind == JsonValueKind.Number && value.GetRawText() == "1":
            case "modalities" when value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String && one.ValueEquals("text")):
                break; // What the provider does anyway, and what is refused already.
            case var _ when Asides.IsUsual(name, value):
                break;
            case var _ when Asides.OfChat(name, value) is { } kind:
                Withhold(value, name, kind);
                break;
            default:
                Gap(name);
                break;
        }
    }

    private void WriteSystem()
    {
        if (SystemTexts.Count == 0)
        {
            return;
        }

        Json.WriteStartObject("systemInstruction");
        Json.WriteStartArray("parts");
        WriteSystemTexts();

        Json.WriteEndArray();
        Json.WriteEndObject();
    }

    private void WriteGenerationConfig()
    {
        Json.WriteStartObject("generationConfig");
        foreach (var (name, value) in numbers)
        {
            Json.WritePropertyName(name);
            Raw(value);
        }

        if ((maximum ?? Options.MaxTokens) is { } tokens)
        {
            Json.WriteNumber("maxOutputTokens", tokens);
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

        WriteFormat();
        WriteThinkingConfig();
        Json.WriteEndObject();
    }

    private void WriteFormat()
    {
        switch (format is { } wanted ? Kind(wanted, "response_format") : "text")
        {
            case "text":
                break;
            case "json_object":
                Json.WriteString("responseMimeType", "application/json");
                break;
            case "json_schema":
                Json.WriteString("responseMimeType", "application/json");
                if (Required(format!.Value, "json_schema", "response_format") is { } named)
                {
                    Others(named, "response_format.json_schema", "name", "schema", "strict");
                    if (Required(named, "schema", "response_format.json_schema") is { } schema)
                    {
                        Copy("responseJsonSchema", schema, JsonValueKind.Object, "response_format.json_schema.schema");
                    }
                }

                break;
            case var kind:
                Gap("response_format.type", $"The provider has no format `{kind}`.");
                break;
        }
    }
}
