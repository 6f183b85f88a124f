using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Messages request for a Chat Completions provider. Chat forgets reasoning between calls, so thinking that this marketplace wrote (unsigned) is left out of the
/// history; signed thinking is another provider's, and a gap. <c>cache_control</c> is no gap: it says where to cache, never what to answer, and Chat's providers
/// cache by themselves. Chat has no failed tool results: the result's text says it.
/// </summary>
internal sealed partial class MessagesRequestToChat : RequestReading
{
    private JsonElement? system;
    private JsonElement? messages;

    private MessagesRequestToChat(TranslationOptions options)
        : base(options)
    {
    }

    public static TranslatedRequest Translate(ReadOnlyMemory<byte> body, TranslationOptions options) => new MessagesRequestToChat(options).Run(body);

    protected override void Translate(JsonElement root)
    {
        foreach (var member in Members(root, ""))
        {
            Member(member.Name, member.Value);
        }

        Json.WriteStartArray("messages");
        WriteSystem();
        foreach (var (message, path) in messages is { } all ? Items(all, "messages") : [])
        {
            WriteMessage(message, path);
        }

        Json.WriteEndArray();
    }

    private void Member(string name, JsonElement value)
    {
        switch (name)
        {
            case "model":
                WriteModel(value);
                break;
            case "messages":
                messages = value;
                break;
            case "system":
                system = value;
                break;
            case "max_tokens":
                Copy(Options.MaxTokensField, value, JsonValueKind.Number, name);
                break;
            case "temperature" or "top_p":
                Copy(name, value, JsonValueKind.Number, name);
                break;
            case "stop_sequences" when Middle is null && value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 4:
                Gap(name, "The provider takes at most 4 stop sequences.");
                break;
            case "stop_sequences":
                Copy("stop", value, JsonValueKind.Array, name);
                break;
            case "stream" when Flag(value, name) == true:
                Json.WriteBoolean(name, true);
                Json.WriteStartObject("stream_options");
                Json.WriteBoolean("include_usage", true);
                Json.WriteEndObject();
                break;
            case "stream":
                break;
            case "metadata":
                foreach (var entry in Members(value, name))
                {
                    if (entry.Name == "user_id")
                    {
                        Copy("user", entry.Value, JsonValueKind.String, "metadata.user_id");
                    }
                    else
                    {
                        Gap($"metadata.{entry.Name}");
                    }
                }

                break;
            case "tools":
                WriteTools(value);
                break;
            case "tool_choice":
                WriteToolChoice(value);
                break;
            case "thinking" when Kind(value, name) == "disabled" && Middle?.Provider != Dialect.Converse:
                break;
            case "thinking" when Middle is not null:
                Copy(name, value, JsonValueKind.Object, name);
                break;
            case "thinking" when Kind(value, name) == "adaptive":
                Withhold(value, name, JsonValueKind.Object); // A leave to think, which Chat's models have: they think as they do, or as `output_config.effort` says.
                break;
            case "context_management" when Asides.OnlyForgetsThoughts(value):
                Withhold(value, name, JsonValueKind.Object);
                break;
            case "top_k" when Middle is not null:
                Copy(name, value, JsonValueKind.Number, name);
                break;
            case "output_config":
                WriteOutputConfig(value);
                break;
            case "cache_control":
                Is(value, JsonValueKind.Object, name);
                break;
            case var _ when Asides.IsUsual(name, value):
                break;
            default:
                Gap(name);
                break;
        }
    }

    private void WriteSystem()
    {
        if (system is not { } text)
        {
            return;
        }

        Json.WriteStartObject();
        Json.WriteString("role", "system");
        if (text.ValueKind == JsonValueKind.String)
        {
            Copy("content", text, JsonValueKind.String, "system");
        }
        else
        {
            Json.WriteStartArray("content");
            foreach (var (block, path) in Items(text, "system"))
            {
                if (Kind(block, path) == "text")
                {
                    WriteText(block, path);
                }
                else
                {
                    Malformed($"{path}.type", "System text is made of blocks of type `text`.");
                }
            }

            Json.WriteEndArray();
        }

        Json.WriteEndObject();
    }

    private void WriteMessage(JsonElement message, string path)
    {
        Others(message, path, "role", "content");
        var role = Required(message, "role", path) is { } value ? Text(value, $"{path}.role") : "";
        if (Required(message, "content", path) is not { } content)
        {
            return;
        }

        if (role is not ("user" or "assistant"))
        {
            Malformed($"{path}.role", $"`{path}.role` is `user` or `assistant`.");
        }
        else if (content.ValueKind == JsonValueKind.String)
        {
            From(path);
            Json.WriteStartObject();
            Json.WriteString("role", role);
            Copy("content", content, JsonValueKind.String, $"{path}.content");
            Json.WriteEndObject();
        }
        else if (role == "user")
        {
            WriteUser([.. Items(content, $"{path}.content")]);
        }
        else
        {
            WriteAssistant([.. Items(content, $"{path}.content")]);
        }
    }

    private void WriteUser(List<(JsonElement Value, string Path)> blocks)
    {
        var kinds = blocks.ConvertAll(block => Kind(block.Value, block.Path));
        var results = kinds.TakeWhile(kind => kind == "tool_result").Count();
        foreach (var (block, path) in blocks.Take(results))
        {
            WriteResult(block, path);
        }

        if (results == blocks.Count && results > 0)
        {
            return;
        }

        Json.WriteStartObject();
        Json.WriteString("role", "user");
        Json.WriteStartArray("content");
        for (var i = results; i < blocks.Count; i++)
        {
            var (block, path) = blocks[i];
            switch (kinds[i])
            {
                case "text":
                    WriteText(block, path);
                    break;
                case "image":
                    WriteImage(block, path);
                    break;
                case "document":
                    WriteDocument(block, path);
                    break;
                case "tool_result":
                    Malformed($"{path}.type", "Tool results come before all other blocks of their message.");
                    break;
                case var kind:
                    Gap($"{path}.type", $"Blocks of type `{kind}` have no counterpart in the provider's protocol.");
                    break;
            }
        }

        Json.WriteEndArray();
        Json.WriteEndObject();
    }

    private void WriteResult(JsonElement block, string path)
    {
        OthersThanHints(block, path, "type", "tool_use_id", "content", "is_error");
        var failed = block.TryGetProperty("is_error", out var error) && error.ValueKind != JsonValueKind.Null && Flag(error, $"{path}.is_error") == true;

        From(path);
        Json.WriteStartObject();
        Json.WriteString("role", "tool");
        if (failed && Middle is not null)
        {
            From($"{path}.is_error");
            Json.WriteBoolean("is_error", true);
            failed = false;
        }

        if (Required(block, "tool_use_id", path) is { } id)
        {
            Copy("tool_call_id", id, JsonValueKind.String, $"{path}.tool_use_id");
        }

        if (!block.TryGetProperty("content", out var content) || content.ValueKind == JsonValueKind.Null)
        {
            Json.WriteString("content", failed ? Failed : "");
        }
        else if (content.ValueKind == JsonValueKind.String && !failed)
        {
            Copy("content", content, JsonValueKind.String, $"{path}.content");
        }
        else if (content.ValueKind == JsonValueKind.String)
        {
            WriteFailed(content);
        }
        else
        {
            Json.WriteStartArray("content");
            if (failed)
            {
                Json.WriteStartObject();
                Json.WriteString("type", "text");
                Json.WriteString("text", Failed);
                Json.WriteEndObject();
            }

            foreach (var (part, at) in Items(content, $"{path}.content"))
            {
                switch (Kind(part, at))
                {
                    case "text":
                        WriteText(part, at);
                        break;
                    case "image" when Middle is not null:
                        WriteImage(part, at);
                        break;
                    case "document" when Middle is not null:
                        WriteDocument(part, at);
                        break;
                    default:
                        Gap($"{at}.type", "The provider takes results of text only.");
                        break;
                }
            }

            Json.WriteEndArray();
        }

        Json.WriteEndObject();
    }

    /// <summary>An assistant's message; on the way to another translator as many as its order takes, for each has thinking, then text, then calls.</summary>
    private void WriteAssistant(List<(JsonElement Value, string Path)> blocks)
    {
        var kinds = blocks.ConvertAll(block => Kind(block.Value, block.Path));
        var begin = 0;
        for (var i = 1; i <= blocks.Count; i++)
        {
            if (i == blocks.Count || (Middle is not null && Rank(kinds[i]) < Rank(kinds[i - 1])))
            {
                WriteAssistant(blocks[begin..i], kinds[begin..i]);
                begin = i;
            }
        }

        if (blocks.Count == 0)
        {
            WriteAssistant(blocks, kinds);
        }
    }

    private void WriteAssistant(List<(JsonElement Value, string Path)> blocks, List<string> kinds)
    {
        Json.WriteStartObject();
        Json.WriteString("role", "assistant");
        WriteThinking(blocks, kinds);
        if (kinds.Contains("text"))
        {
            Json.WriteStartArray("content");
            for (var i = 0; i < blocks.Count; i++)
            {
                if (kinds[i] == "text")
                {
                    WriteText(blocks[i].Value, blocks[i].Path);
                    if (i > 0 && kinds[i - 1] == "tool_use")
                    {
                        Gap($"{blocks[i].Path}.type", "The provider has text before tool calls only.");
                    }
                }
            }

            Json.WriteEndArray();
        }

        if (kinds.Contains("tool_use"))
        {
            Json.WriteStartArray("tool_calls");
            for (var i = 0; i < blocks.Count; i++)
            {
                if (kinds[i] == "tool_use")
                {
                    WriteCall(blocks[i].Value, blocks[i].Path, signature);
                    signature = null;
                }
            }

            Json.WriteEndArray();
        }

        Json.WriteEndObject();
    }

    private void WriteCall(JsonElement block, string path, string? signature)
    {
        OthersThanHints(block, path, "type", "id", "name", "input");
        From(path);
        Json.WriteStartObject();
        if (Required(block, "id", path) is { } id)
        {
            Copy("id", id, JsonValueKind.String, $"{path}.id");
        }

        Json.WriteString("type", "function");
        Json.WriteStartObject("function");
        if (Required(block, "name", path) is { } name)
        {
            Copy("name", name, JsonValueKind.String, $"{path}.name");
        }

        if (Required(block, "input", path) is { } input && Is(input, JsonValueKind.Object, $"{path}.input"))
        {
            From($"{path}.input");
            Json.WriteString("arguments", input.GetRawText());
        }

        Json.WriteEndObject();
        WriteSignature(signature);
        Json.WriteEndObject();
    }

    private void WriteText(JsonElement block, string path)
    {
        OthersThanHints(block, path, "type", "text");
        From(path);
        Json.WriteStartObject();
        Json.WriteString("type", "text");
        if (Required(block, "text", path) is { } text)
        {
            Copy("text", text, JsonValueKind.String, $"{path}.text");
        }

        Json.WriteEndObject();
    }

    private void WriteImage(JsonElement block, string path)
    {
        OthersThanHints(block, path, "type", "source");
        if (Url(block, path) is { } url)
        {
            From(path);
            Json.WriteStartObject();
            Json.WriteString("type", "image_url");
            Json.WriteStartObject("image_url");
            From($"{path}.source");
            Json.WriteString("url", url);
            Json.WriteEndObject();
            Json.WriteEndObject();
        }
    }

    private void WriteDocument(JsonElement block, string path)
    {
        OthersThanHints(block, path, "type", "source", "title");
        if (Url(block, path) is not { } url)
        {
            return;
        }

        if (Middle is null && DataUrl.Parse(url) is not { MediaType: "application/pdf" })
        {
            Gap($"{path}.source.type", "The provider takes PDF files in base64 only.");
            return;
        }

        From(path);
        Json.WriteStartObject();
        Json.WriteString("type", "file");
        Json.WriteStartObject("file");
        if (block.TryGetProperty("title", out var title) && title.ValueKind != JsonValueKind.Null)
        {
            Copy("filename", title, JsonValueKind.String, $"{path}.title");
        }

        From($"{path}.source");
        Json.WriteString("file_data", url);
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    /// <summary>A source as an address, if it can be one.</summary>
    private string? Url(JsonElement block, string path)
    {
        var at = $"{path}.source";
        if (Required(block, "source", path) is not { } source)
        {
            return null;
        }

        switch (Kind(source, at))
        {
            case "url":
                Others(source, at, "type", "url");
                return Required(source, "url", at) is { } url ? Text(url, $"{at}.url") : null;
            case "base64":
                Others(source, at, "type", "media_type", "data");
                return Required(source, "media_type", at) is { } type && Required(source, "data", at) is { } data ? $"data:{Text(type, $"{at}.media_type")};base64,{Text(data, $"{at}.data")}" : null;
            default:
                Gap($"{at}.type");
                return null;
        }
    }
}
