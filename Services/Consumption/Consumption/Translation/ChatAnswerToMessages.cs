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
        json.WriteStartObject();
        json.WriteString("id", head.Id("msg_"));
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", head.Model);
        json.WriteStartArray("content");
        var (called, refused) = (false, false);
        foreach (var message in AnswerReading.Messages(root, head))
        {
            WriteThinking(message, head, json);
            refused |= message.GetText("refusal") is not null;
            foreach (var text in new[] { message.GetText("content"), message.GetText("refusal") }.OfType<JsonElement>())
            {
                json.WriteStartObject();
                json.WriteString("type", "text");
                json.Raw("text", text);
                json.WriteEndObject();
            }

            foreach (var call in AnswerReading.Calls(message))
            {
                called = true;
                WriteCall(call, head, json);
            }
        }

        json.WriteEndArray();
        json.WriteString("stop_reason", Reasons.ToMessages(AnswerReading.Reason(root), called, refused));
        json.WriteNull("stop_sequence");
        json.WriteMessagesUsage(head.Usage ?? usage ?? default);
        json.WriteEndObject();
    });

    /// <summary>Signed blocks as they are, else reasoning without a signature.</summary>
    private static void WriteThinking(JsonElement message, AnswerHead head, Utf8JsonWriter json)
    {
        if (head.IsComposed && message.Get("thinking_blocks") is { } blocks)
        {
            foreach (var block in blocks.EnumerateArray())
            {
                block.WriteTo(json);
            }
        }
        else if ((message.GetText("reasoning_content") ?? message.GetText("reasoning")) is { } reasoning)
        {
            json.WriteStartObject();
            json.WriteString("type", "thinking");
            json.Raw("thinking", reasoning);
            json.WriteString("signature", "");
            json.WriteEndObject();
        }
    }

    private static void WriteCall(JsonElement call, AnswerHead head, Utf8JsonWriter json)
    {
        if (AnswerReading.Signature(call, head) is { } signature)
        {
            json.WriteStartObject();
            json.WriteString("type", "redacted_thinking");
            json.Escaped("data"u8, ThinkingBlocks.OfGoogle(AnswerReading.Escaped(signature)));
            json.WriteEndObject();
        }

        var function = call.GetProperty("function");
        json.WriteStartObject();
        json.WriteString("type", "tool_use");
        json.RawText("id", call, "id");
        json.RawText("name", function, "name");
        WriteInput(json, function.GetProperty("arguments").GetString());
        json.WriteEndObject();
    }

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
