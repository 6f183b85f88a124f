using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What requests of Chat Completions have in common on their way to any protocol: the conversation in turns, its parts, and its functions.</summary>
internal abstract class ChatRequestReading(TranslationOptions options, string messagesName, string assistantRole, string contentName) : RequestReading(options)
{
    /// <summary>Where to cache, as Anthropic has it, on parts, messages and tools of Chat, as gateways take it. It never says what to answer: providers without it cache by themselves.</summary>
    protected const string CacheControl = "cache_control";

    /// <summary>Contents of the messages that come before the conversation, and whether to cache up to there.</summary>
    protected List<(JsonElement Content, string Path, JsonElement? Hint)> SystemTexts { get; } = [];

    /// <summary>The <see cref="CacheControl"/> of the part that is being written.</summary>
    protected JsonElement? Hint { get; private set; }

    /// <summary>Whether messages of one side that follow each other have to be one: the protocol has the sides take turns.</summary>
    protected virtual bool MergesTurns => false;

    protected void WriteMessages(JsonElement messages)
    {
        Json.WriteStartArray(messagesName);
        var turn = (Role: "", IsResults: false);
        foreach (var (message, path) in Items(messages, "messages"))
        {
            var role = Required(message, "role", path) is { } value ? Text(value, $"{path}.role") : "";
            if (role is "system" or "developer")
            {
                if (turn.Role.Length > 0)
                {
                    Gap($"{path}.role", "The provider takes system text before the conversation only.");
                }

                if (Required(message, "content", path) is { } content)
                {
                    SystemTexts.Add((content, $"{path}.content", HintOf(message, path)));
                }

                Others(message, path, "role", "content", CacheControl);
                continue;
            }

            var next = (Role: role == "assistant" ? assistantRole : "user", IsResults: role == "tool");
            if (turn.Role.Length == 0 || turn.Role != next.Role || !(MergesTurns || (Options.ReadsMiddle && role == "assistant") || (turn.IsResults && next.IsResults)))
            {
                if (turn.Role.Length > 0)
                {
                    CloseMessage();
                }

                OpenMessage(next.Role);
            }

            turn = next;
            switch (role)
            {
                case "user":
                    if (Required(message, "content", path) is { } said)
                    {
                        WriteContent(said, $"{path}.content", HintOf(message, path));
                    }

                    Others(message, path, "role", "content", CacheControl);
                    break;
                case "assistant":
                    WriteAssistant(message, path);
                    break;
                case "tool":
                    WriteResult(message, path);
                    break;
                default:
                    Malformed($"{path}.role", $"`{path}.role` is none that Chat has.");
                    break;
            }
        }

        if (turn.Role.Length > 0)
        {
            CloseMessage();
        }

        Json.WriteEndArray();
    }

    /// <param name="content">A text, or parts.</param>
    /// <param name="path">Its own.</param>
    /// <param name="last">The hint of the whole message: that of its last part.</param>
    protected void WriteContent(JsonElement content, string path, JsonElement? last = null)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            Hint = last;
            WriteText(content, path);
            return;
        }

        var left = content.ValueKind == JsonValueKind.Array ? content.GetArrayLength() : 0;
        foreach (var (part, at) in Items(content, path))
        {
            Hint = HintOf(part, at) ?? (--left == 0 ? last : null);
            switch (Kind(part, at))
            {
                case "text":
                    Others(part, at, "type", "text", CacheControl);
                    if (Required(part, "text", at) is { } text)
                    {
                        WriteText(text, $"{at}.text");
                    }

                    break;
                case "image_url":
                    Others(part, at, "type", "image_url", CacheControl);
                    if (Required(part, "image_url", at) is { } image)
                    {
                        WriteImage(image, $"{at}.image_url");
                    }

                    break;
                case "file":
                    Others(part, at, "type", "file", CacheControl);
                    if (Required(part, "file", at) is { } file)
                    {
                        WriteFile(file, $"{at}.file");
                    }

                    break;
                case var kind when WriteOtherPart(kind, part, at):
                    break;
                case var kind:
                    Gap($"{at}.type", $"Parts of type `{kind}` have no counterpart in the provider's protocol.");
                    break;
            }
        }
    }

    protected void WriteSystemTexts()
    {
        foreach (var (content, path, hint) in SystemTexts)
        {
            foreach (var (part, at) in content.ValueKind == JsonValueKind.String ? [] : Items(content, path))
            {
                if (Kind(part, at) != "text")
                {
                    Malformed($"{at}.type", "System text is made of parts of type `text`.");
                }
            }

            WriteContent(content, path, hint);
        }
    }

    /// <summary>What stands beside the text of an assistant's message because answers have it: no model reads it again. Reasoning without a signature is shown, and left out when it is sent back.</summary>
    protected static bool IsSaidOfAnswers(string name) => name is Parsed or "annotations" or "reasoning_content" or "reasoning" or "reasoning_details";

    /// <summary>Where a part, message or tool says to cache.</summary>
    protected JsonElement? HintOf(JsonElement value, string path) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(CacheControl, out var hint) && hint.ValueKind != JsonValueKind.Null && Is(hint, JsonValueKind.Object, $"{path}.{CacheControl}") ? hint : null;

    /// <summary>An image's members beside its address. How closely OpenAI's models look at it (`detail`) no other provider can be told.</summary>
    protected void OthersOfImage(JsonElement image, string path)
    {
        Others(image, path, "url", "detail");
        if (image.ValueKind == JsonValueKind.Object && image.TryGetProperty("detail", out var detail) && detail.ValueKind != JsonValueKind.Null && !(detail.ValueKind == JsonValueKind.String && detail.ValueEquals("auto")))
        {
            Gap($"{path}.detail");
        }
    }

    /// <summary>The functions among the tools.</summary>
    protected IEnumerable<(JsonElement Function, string Path, JsonElement? Hint)> Functions(JsonElement tools)
    {
        foreach (var (tool, path) in Items(tools, "tools"))
        {
            if (Kind(tool, path) != "function")
            {
                Gap($"{path}.type", "The provider knows tools of type `function` only.");
                continue;
            }

            Others(tool, path, "type", "function", CacheControl);
            if (Required(tool, "function", path) is { } function)
            {
                yield return (function, $"{path}.function", HintOf(tool, path));
            }
        }
    }

    /// <summary>Whether a result is of a call that failed: a member that Chat does not have, and all others do.</summary>
    protected bool IsFailed(JsonElement message, string path) =>
        message.TryGetProperty("is_error", out var error) && error.ValueKind != JsonValueKind.Null && Flag(error, $"{path}.is_error") == true;

    protected abstract void WriteAssistant(JsonElement message, string path);

    protected abstract void WriteResult(JsonElement message, string path);

    protected abstract void WriteText(JsonElement text, string path);

    protected abstract void WriteImage(JsonElement image, string path);

    protected abstract void WriteFile(JsonElement file, string path);

    /// <summary>Writes a part that not every protocol has; false when the provider's has none such either.</summary>
    protected virtual bool WriteOtherPart(string kind, JsonElement part, string path) => false;

    private void OpenMessage(string role)
    {
        Json.WriteStartObject();
        Json.WriteString("role", role);
        Json.WriteStartArray(contentName);
    }

    private void CloseMessage()
    {
        Json.WriteEndArray();
        Json.WriteEndObject();
    }
}
