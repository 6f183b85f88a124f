using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>A Gemini answer as a chat completion: texts joined, thoughts as <c>reasoning_content</c>, a prompt that was blocked as an answer that was filtered.</summary>
internal static class GeminiAnswerToChat
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Gemini, output, (root, usage, json) =>
    {
        var parts = GeminiParts.Read(root);
        if (parts.Reason is null)
        {
            throw new JsonException("The answer has no candidate that ended.");
        }

        json.WriteCompletion(head, () => WriteMessage(parts, head, json), parts.Calls.Count > 0 && parts.Reason == "stop" ? "tool_calls" : parts.Reason, usage);
    });

    private static void WriteMessage(GeminiParts parts, AnswerHead head, Utf8JsonWriter json)
    {
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", Joined(parts, thoughts: false));
        json.WriteNull("refusal");
        if (Joined(parts, thoughts: true) is { } thought)
        {
            json.WriteString("reasoning_content", thought);
        }

        if (parts.Calls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            foreach (var (index, call) in parts.Calls.Index())
            {
                json.WriteStartObject();
                call.WriteTo(json, head, index);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static string? Joined(GeminiParts parts, bool thoughts)
    {
        var texts = parts.Texts.Where(part => part.IsThought == thoughts).Select(part => part.Text.GetString()).ToList();
        return texts.Count == 0 ? null : string.Concat(texts);
    }
}
