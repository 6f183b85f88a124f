using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToConverse
{
    protected override void WriteText(JsonElement text, string path)
    {
        if (text.ValueKind == JsonValueKind.String && text.ValueEquals(""))
        {
            return; // The provider takes no empty text.
        }

        Json.WriteStartObject();
        Copy("text", text, JsonValueKind.String, path);
        Json.WriteEndObject();
    }

    protected override void WriteImage(JsonElement image, string path)
    {
        OthersOfImage(image, path);
        if (Required(image, "url", path) is not { } url)
        {
            return;
        }

        if (DataUrl.Parse(Text(url, $"{path}.url")) is not { } data)
        {
            Gap($"{path}.url", "The provider takes images in data URLs only.");
        }
        else if (data.MediaType is "image/png" or "image/jpeg" or "image/gif" or "image/webp")
        {
            WriteBytes("image", data.MediaType["image/".Length..], null, data.Data);
        }
        else
        {
            Gap($"{path}.url", $"The provider takes no images of type `{data.MediaType}`.");
        }
    }

    protected override void WriteFile(JsonElement file, string path)
    {
        Others(file, path, "file_data", "filename");
        if (!file.TryGetProperty("file_data", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return; // A file by its id: said by its gap.
        }

        var data = DataUrl.Parse(Text(value, $"{path}.file_data"));
        if (data is not { } inline || Format(inline.MediaType) is not { } format)
        {
            Gap($"{path}.file_data", data is null ? "The provider takes files in data URLs only." : $"The provider takes no files of type `{data.Value.MediaType}`.");
            return;
        }

        var named = file.TryGetProperty("filename", out var name) && name.ValueKind != JsonValueKind.Null ? NotInNames().Replace(Text(name, $"{path}.filename"), "-") : "";
        WriteBytes("document", format, named.Length > 0 ? named : "document", inline.Data);
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
                    break;
                case "content":
                    WriteContent(member.Value, at);
                    break;
                case "thinking_blocks":
                    foreach (var (block, blockPath) in Items(member.Value, at))
                    {
                        WriteThinking(block, blockPath);
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

    protected override void WriteResult(JsonElement message, string path)
    {
        Others(message, path, "role", "tool_call_id", "name", "content", "is_error", CacheControl);
        Json.WriteStartObject();
        Json.WriteStartObject("toolResult");
        if (IsFailed(message, path))
        {
            Json.WriteString("status", "error");
        }

        if (Required(message, "tool_call_id", path) is { } id)
        {
            Copy("toolUseId", id, JsonValueKind.String, $"{path}.tool_call_id");
        }

        Json.WriteStartArray("content");
        if (Required(message, "content", path) is { } content)
        {
            WriteContent(content, $"{path}.content");
        }

        Json.WriteEndArray();
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private void WriteThinking(JsonElement block, string path)
    {
        switch (Kind(block, path))
        {
            case "thinking":
                Others(block, path, "type", "thinking", "signature");
                Json.WriteStartObject();
                Json.WriteStartObject("reasoningContent");
                Json.WriteStartObject("reasoningText");
                if (Required(block, "thinking", path) is { } text)
                {
                    Copy("text", text, JsonValueKind.String, $"{path}.thinking");
                }

                if (block.TryGetProperty("signature", out var signature) && signature.ValueKind != JsonValueKind.Null)
                {
                    Copy("signature", signature, JsonValueKind.String, $"{path}.signature");
                }

                Json.WriteEndObject();
                Json.WriteEndObject();
                Json.WriteEndObject();
                break;
            case "redacted_thinking":
                Others(block, path, "type", "data");
                Json.WriteStartObject();
                Json.WriteStartObject("reasoningContent");
                if (Required(block, "data", path) is { } data)
                {
                    Copy("redactedContent", data, JsonValueKind.String, $"{path}.data");
                }

                Json.WriteEndObject();
                Json.WriteEndObject();
                break;
            default:
                Malformed($"{path}.type", "A thinking block is of type `thinking` or `redacted_thinking`.");
                break;
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
        Json.WriteStartObject("toolUse");
        Copy("toolUseId", id, JsonValueKind.String, $"{path}.id");
        if (Required(function, "name", $"{path}.function") is { } name)
        {
            Copy("name", name, JsonValueKind.String, $"{path}.function.name");
        }

        WriteParsedObject("input", Required(function, "arguments", $"{path}.function") is { } arguments ? Text(arguments, $"{path}.function.arguments") : "", $"{path}.function.arguments");
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private void WriteBytes(string kind, string format, string? name, string data)
    {
        Json.WriteStartObject();
        Json.WriteStartObject(kind);
        Json.WriteString("format", format);
        if (name is not null)
        {
            Json.WriteString("name", name);
        }

        Json.WriteStartObject("source");
        Json.WriteString("bytes", data);
        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndObject();
    }

    private static string? Format(string mediaType) => mediaType switch
    {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/plain" => "txt",
        "text/markdown" => "md",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => null,
    };
}
