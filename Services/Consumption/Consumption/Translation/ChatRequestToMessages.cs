using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Chat Completions request for a Messages provider.
/// (https://platform.openai.com/docs/api-reference/chat/create, https://docs.anthropic.com/en/api/messages)
/// </summary>
internal sealed partial class ChatRequestToMessages : ChatRequestReading
{
    private JsonElement? toolChoice;
    private JsonElement? effort;
    private JsonElement? format;
    private bool parallel = true;
    private bool hasTools;
    private bool isIdentifiedSafely;
    private long? maximum;

    private ChatRequestToMessages(TranslationOptions options)
        : base(options, "messages", "assistant", "content")
    {
    }

    public static TranslatedRequest Translate(ReadOnlyMemory<byte> body, TranslationOptions options) => new ChatRequestToMessages(options).Run(body);

    protected override void Translate(JsonElement root)
    {
        isIdentifiedSafely = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("safety_identifier", out var safely) && safely.ValueKind == JsonValueKind.String && safely.GetString()!.Length > 0;
        foreach (var member in Members(root, ""))
        {
            Member(member.Name, member.Value);
        }

        if ((maximum ?? Options.MaxTokens) is { } tokens)
        {
            Json.WriteNumber("max_tokens", tokens);
        }
        else
        {
            Malformed("max_tokens", "`max_tokens` is missing: the provider requires it.");
        }

        WriteSystem();
        WriteToolChoice();
        WriteOutputConfig();
    }

    private void Member(string name, JsonElement value)
    {
        switch (name)
        {
            case "model":
                WriteModel(value);
                break;
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
            case "temperature" or "top_p":
                Copy(name, value, JsonValueKind.Number, name);
                break;
            case "stop":
                Json.WritePropertyName("stop_sequences");
                Json.WriteStartArray();
                foreach (var (text, path) in value.ValueKind == JsonValueKind.String ? [(value, name)] : Items(value, name))
                {
                    Json.WriteStringValue(Text(text, path));
                }

                Json.WriteEndArray();
                break;
            case "stream" when Flag(value, name) is { } stream:
                Json.WriteBoolean(name, stream);
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
            case "parallel_tool_calls":
                parallel = Flag(value, name) ?? true;
                break;
            case "response_format":
                format = value;
                break;
            case "reasoning_effort" when value.ValueKind == JsonValueKind.String && value.ValueEquals("none"):
                break; // So it is there unless asked for.
            case "reasoning_effort":
                effort = value;
                break;
            case "thinking":
                Copy(name, value, JsonValueKind.Object, name);
                break;
            case "top_k":
                Copy(name, value, JsonValueKind.Number, name);
                break;
            case "user" when isIdentifiedSafely:
                Withhold(value, name); // The other one replaces it.
                break;
            case "user" or "safety_identifier" when value.ValueKind != JsonValueKind.String || value.GetString()!.Length > 0:
                Json.WriteStartObject("metadata");
                Json.WriteString("user_id", Text(value, name));
                Json.WriteEndObject();
                break;
            case "n" when value.ValueKind == JsonValueKind.Number && value.GetRawText() == "1":
            case "presence_penalty" or "frequency_penalty" when Number(value, name) == 0:
            case "modalities" when value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => one.ValueKind == JsonValueKind.String && one.ValueEquals("text")):
            case "stream" or "user" or "safety_identifier":
                break; // What the provider does anyway.
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

    protected override void WriteText(JsonElement text, string path)
    {
        Json.WriteStartObject();
        Json.WriteString("type", "text");
        Copy("text", text, JsonValueKind.String, path);
        WriteCacheHint();
        Json.WriteEndObject();
    }

    protected override void WriteImage(JsonElement image, string path)
    {
        OthersOfImage(image, path);
        if (Required(image, "url", path) is not { } value)
        {
            return;
        }

        var url = Text(value, $"{path}.url");
        var data = DataUrl.Parse(url);
        if (data is { MediaType: not ("image/png" or "image/jpeg" or "image/gif" or "image/webp") })
        {
            Gap($"{path}.url", $"The provider takes no images of type `{data.Value.MediaType}`.");
            return;
        }

        Json.WriteStartObject();
        Json.WriteString("type", "image");
        WriteSource(data, url);
        WriteCacheHint();
        Json.WriteEndObject();
    }

    protected override void WriteFile(JsonElement file, string path)
    {
        Others(file, path, "file_data", "filename");
        if (!file.TryGetProperty("file_data", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return; // A file by its id: said by its gap.
        }

        if (DataUrl.Parse(Text(value, $"{path}.file_data")) is not { MediaType: "application/pdf" } data)
        {
            Gap($"{path}.file_data", "The provider takes PDF files in data URLs only.");
            return;
        }

        Json.WriteStartObject();
        Json.WriteString("type", "document");
        WriteSource(data, "");
        if (file.TryGetProperty("filename", out var name) && name.ValueKind != JsonValueKind.Null)
        {
            Copy("title", name, JsonValueKind.String, $"{path}.filename");
        }

        WriteCacheHint();
        Json.WriteEndObject();
    }

    private void WriteSource(DataUrl? data, string url)
    {
        Json.WriteStartObject("source");
        if (data is { } inline)
        {
            Json.WriteString("type", "base64");
            Json.WriteString("media_type", inline.MediaType);
            Json.WriteString("data", inline.Data);
        }
        else
        {
            Json.WriteString("type", "url");
            Json.WriteString("url", url);
        }

        Json.WriteEndObject();
    }

    protected override void WriteAssistant(JsonElement message, string path)
    {
        foreach (var member in Members(message, path).OrderBy(member => member.Name switch { "thinking_blocks" => 0, "content" => 1, _ => 2 }))
        {
            var at = $"{path}.{member.Name}";
            switch (member.Name)
            {
                case "role" or CacheControl:
                case var name when IsSaidOfAnswers(name):
                case "content" when member.Value.ValueKind == JsonValueKind.String && member.Value.ValueEquals(""): // The provider takes no empty text.
                    break;
                case "content":
                    WriteContent(member.Value, at, HintOf(message, path));
                    break;
                case "thinking_blocks":
                    foreach (var (block, blockPath) in Items(member.Value, at))
                    {
                        if (Kind(block, blockPath) is "thinking" or "redacted_thinking")
                        {
                            Raw(block);
                        }
                        else
                        {
                            Malformed($"{blockPath}.type", "A thinking block is of type `thinking` or `redacted_thinking`.");
                        }
                    }

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

        Others(call, path, "id", "type", "function", "index");
        if (Required(call, "id", path) is not { } id || Required(call, "function", path) is not { } function)
        {
            return;
        }

        Others(function, $"{path}.function", "name", "arguments", ParsedArguments);
        Json.WriteStartObject();
        Json.WriteString("type", "tool_use");
        Copy("id", id, JsonValueKind.String, $"{path}.id");
        if (Required(function, "name", $"{path}.function") is { } name)
        {
            Copy("name", name, JsonValueKind.String, $"{path}.function.name");
        }

        WriteParsedObject("input", Required(function, "arguments", $"{path}.function") is { } arguments ? Text(arguments, $"{path}.function.arguments") : "", $"{path}.function.arguments");
        Json.WriteEndObject();
    }

    protected override void WriteResult(JsonElement message, string path)
    {
        Others(message, path, "role", "tool_call_id", "name", "content", "is_error", CacheControl);
        Json.WriteStartObject();
        Json.WriteString("type", "tool_result");
        if (IsFailed(message, path))
        {
            Json.WriteBoolean("is_error", true);
        }

        if (Required(message, "tool_call_id", path) is { } id)
        {
            Copy("tool_use_id", id, JsonValueKind.String, $"{path}.tool_call_id");
        }

        if (Required(message, "content", path) is { } content)
        {
            if (content.ValueKind == JsonValueKind.String)
            {
                Copy("content", content, JsonValueKind.String, $"{path}.content");
            }
            else
            {
                Json.WriteStartArray("content");
                WriteContent(content, $"{path}.content");
                Json.WriteEndArray();
            }
        }

        WriteCacheHint(HintOf(message, path));
        Json.WriteEndObject();
    }

    private void WriteCacheHint() => WriteCacheHint(Hint);

    private void WriteCacheHint(JsonElement? hint)
    {
        if (hint is { } where)
        {
            Json.WritePropertyName(CacheControl);
            Raw(where);
        }
    }

    private void WriteSystem()
    {
        if (SystemTexts.Count == 0)
        {
            return;
        }

        Json.WriteStartArray("system");
        WriteSystemTexts();

        Json.WriteEndArray();
    }
}
