using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>A chat completion as a Messages answer: reasoning as an unsigned thinking block, then text, then calls.</summary>
internal static class ChatAnswerToMessages
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Chat, output, (root, usage, json) =>
    {
        var (message, reason) = AnswerReading.Choice(root);
        json.WriteStartObject();
        json.WriteString("id", head.Id("msg_"));
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", head.Model);
        json.WriteStartArray("content");
        if ((message.GetText("reasoning_content") ?? message.GetText("reasoning")) is { } reasoning)
        {
            json.WriteStartObject();
            json.WriteString("type", "thinking");
            json.Raw("thinking", reasoning);
            json.WriteString("signature", "");
            json.WriteEndObject();
        }

        var refusal = message.GetText("refusal");
        foreach (var text in new[] { message.GetText("content"), refusal }.OfType<JsonElement>())
        {
            json.WriteStartObject();
            json.WriteString("type", "text");
            json.Raw("text", text);
            json.WriteEndObject();
        }

        var called = false;
        foreach (var call in AnswerReading.Calls(message))
        {
            called = true;
            var function = call.GetProperty("function");
            json.WriteStartObject();
            json.WriteString("type", "tool_use");
            json.RawText("id", call, "id");
            json.RawText("name", function, "name");
            WriteInput(json, function.GetProperty("arguments").GetString());
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("stop_reason", Reasons.ToMessages(reason, called, refusal is not null));
        json.WriteNull("stop_sequence");
        json.WriteMessagesUsage(usage ?? default);
        json.WriteEndObject();
    });

    private static void WriteInput(Utf8JsonWriter json, string? arguments)
    {
        using var input = JsonDocument.Parse(string.IsNullOrWhiteSpace(arguments) ? "{}" : arguments);
        if (input.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("Arguments are no object.");
        }

        json.Raw("input", input.RootElement);
    }
}
