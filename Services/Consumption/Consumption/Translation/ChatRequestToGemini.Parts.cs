using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ChatRequestToGemini
{
    protected override void WriteText(JsonElement text, string path) => WriteText(text, path, isThought: false);

    private void WriteText(JsonElement text, string path, bool isThought)
    {
        Json.WriteStartObject();
        Copy("text", text, JsonValueKind.String, path);
        if (isThought)
        {
            Json.WriteBoolean("thought", true);
        }

        Json.WriteEndObject();
    }

    protected override void WriteImage(JsonElement image, string path)
    {
        OthersOfImage(image, path);
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

    protected override bool WriteOtherPart(string kind, JsonElement part, string path)
    {
        if (kind != "input_audio")
        {
            return false;
        }

        Others(part, path, "type", "input_audio");
        if (Required(part, "input_audio", path) is { } audio)
        {
            WriteAudio(audio, $"{path}.input_audio");
        }

        return true;
    }

    private void WriteAudio(JsonElement audio, string path)
    {
        Others(audio, path, "data", "format");
        if (Required(audio, "data", path) is { } data && Required(audio, "format", path) is { } kind)
        {
            WriteInline($"audio/{Text(kind, $"{path}.format")}", Text(data, $"{path}.data"));
        }
    }

    protected override void WriteFile(JsonElement file, string path)
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
