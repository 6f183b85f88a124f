using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>What requests of Chat Completions have in common on their way to any protocol: the conversation in turns, its parts, and its functions.</summary>
internal abstract class ChatRequestReading(TranslationOptions options, string messagesName, string assistantRole, string contentName) : RequestReading(options)
{
    /// <summary>Contents of the messages that come before the conversation.</summary>
    protected List<(JsonElement Content, string Path)> SystemTexts { get; } = [];

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
                    SystemTexts.Add((content, $"{path}.content"));
                }

                Others(message, path, "role", "content");
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
                        WriteContent(said, $"{path}.content");
                    }

                    Others(message, path, "role", "content");
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

    protected void WriteContent(JsonElement content, string path)
    {
        if (content.ValueKind == JsonValueKind.String)
        {
            WriteText(content, path);
            return;
        }

        foreach (var (part, at) in Items(content, path))
        {
            switch (Kind(part, at))
            {
                case "text":
                    Others(part, at, "type", "text");
                    if (Required(part, "text", at) is { } text)
                    {
                        WriteText(text, $"{at}.text");
                    }

                    break;
                case "image_url":
                    Others(part, at, "type", "image_url");
                    if (Required(part, "image_url", at) is { } image)
                    {
                        WriteImage(image, $"{at}.image_url");
                    }

                    break;
                case "file":
                    Others(part, at, "type", "file");
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
        foreach (var (content, path) in SystemTexts)
        {
            foreach (var (part, at) in content.ValueKind == JsonValueKind.String ? [] : Items(content, path))
            {
                if (Kind(part, at) != "text")
                {
                    Malformed($"{at}.type", "System text is made of parts of type `text`.");
                }
            }

            WriteContent(content, path);
        }
    }

    /// <summary>An image's members beside its address: `detail` may say what goes without saying.</summary>
    protected void OthersOfImage(JsonElement image, string path)
    {
        if (image.ValueKind == JsonValueKind.Object && image.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String && detail.ValueEquals("auto"))
        {
            Others(image, path, "url", "detail");
        }
        else
        {
            Others(image, path, "url");
        }
    }

    /// <summary>The functions among the tools.</summary>
    protected IEnumerable<(JsonElement Function, string Path)> Functions(JsonElement tools)
    {
        foreach (var (tool, path) in Items(tools, "tools"))
        {
            if (Kind(tool, path) != "function")
            {
                Gap($"{path}.type", "The provider knows tools of type `function` only.");
                continue;
            }

            Others(tool, path, "type", "function");
            if (Required(tool, "function", path) is { } function)
            {
                yield return (function, $"{path}.function");
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
