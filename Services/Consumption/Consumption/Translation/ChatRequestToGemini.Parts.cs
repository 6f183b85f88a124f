using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToGemini
{
    private void WriteText(JsonElement text, string path, bool isThought = false)
    {
        Json.WriteStartObject();
        Copy("text", text, JsonValueKind.String, path);
        if (isThought)
        {
            Json.WriteBoolean("thought", true);
        }

        Json.WriteEndObject();
    }

    private void WriteParts(JsonElement content, string path)
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
                case "input_audio":
                    Others(part, at, "type", "input_audio");
                    if (Required(part, "input_audio", at) is { } audio)
                    {
                        WriteAudio(audio, $"{at}.input_audio");
                    }

                    break;
                case "file":
                    Others(part, at, "type", "file");
                    if (Required(part, "file", at) is { } file)
                    {
                        WriteFile(file, $"{at}.file");
                    }

                    break;
                case var kind:
                    Gap($"{at}.type", $"Parts of type `{kind}` have no counterpart in the provider's protocol.");
                    break;
            }
        }
    }

    private void WriteImage(JsonElement image, string path)
    {
        if (image.ValueKind == JsonValueKind.Object && image.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.String && detail.ValueEquals("auto"))
        {
            Others(image, path, "url", "detail");
        }
        else
        {
            Others(image, path, "url");
        }

        if (Required(image, "url", path) is not { } url)
        {
            return;
        }

        if (DataUrl.Parse(Text(url, $"{path}.url")) is { } data)
        {
            WriteInline(data.MediaType, data.Data);
        }
        else
        {
            Gap($"{path}.url", "The provider takes images in data URLs only.");
        }
    }

    private void WriteAudio(JsonElement audio, string path)
    {
        Others(audio, path, "data", "format");
        if (Required(audio, "data", path) is { } data && Required(audio, "format", path) is { } kind)
        {
            WriteInline($"audio/{Text(kind, $"{path}.format")}", Text(data, $"{path}.data"));
        }
    }

    private void WriteFile(JsonElement file, string path)
    {
        Others(file, path, "file_data");
        if (!file.TryGetProperty("file_data", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return; // A file by its id: said by its gap.
        }

        if (DataUrl.Parse(Text(value, $"{path}.file_data")) is { } data)
        {
            WriteInline(data.MediaType, data.Data);
        }
        else
        {
            Gap($"{path}.file_data", "The provider takes files in data URLs only.");
        }
    }

    private void WriteInline(string mediaType, string data)
    {
        Json.WriteStartObject();
        Json.WriteStartObject("inlineData");
        Json.WriteString("mimeType", mediaType);
        Json.WriteString("data", data);
        Json.WriteEndObject();
        Json.WriteEndObject();
    }
}
