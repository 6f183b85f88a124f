using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>A Messages answer as a chat completion: texts joined, thinking as <c>reasoning_content</c> and, signed, as <c>thinking_blocks</c>, for the caller to send back.</summary>
internal static class MessagesAnswerToChat
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Messages, output, (root, usage, json) => json.WriteCompletion(
        head,
        () => json.WriteMessages(AnswerReading.Runs([.. root.GetProperty("content").EnumerateArray()], Rank, head), head, WriteMessage),
        Reasons.ToChat(Encoding.UTF8.GetBytes(root.GetProperty("stop_reason").GetString() ?? ""), head.IsComposed),
        usage));

    private static int Rank(JsonElement block) => block.GetProperty("type").GetString() switch { "thinking" or "redacted_thinking" => 0, "tool_use" => 2, _ => 1 };

    private static void WriteMessage(List<JsonElement> content, Utf8JsonWriter json)
    {
        var blocks = content.ToLookup(block => block.GetProperty("type").GetString());
        json.WriteString("role", "assistant");
        json.WriteString("content", Joined(blocks["text"], "text"));
        json.WriteNull("refusal");
        if (blocks["thinking"].Any())
        {
            json.WriteString("reasoning_content", Joined(blocks["thinking"], "thinking"));
        }

        var signed = content.Where(block => block.GetProperty("type").GetString() is "redacted_thinking" || (block.GetProperty("type").GetString() == "thinking" && block.GetText("signature") is not null)).ToList();
        if (signed.Count > 0)
        {
            json.WriteStartArray("thinking_blocks");
            signed.ForEach(block => block.WriteTo(json));
            json.WriteEndArray();
        }

        if (blocks["tool_use"].Any())
        {
            json.WriteStartArray("tool_calls");
            foreach (var block in blocks["tool_use"])
            {
                json.WriteStartObject();
                json.RawText("id", block, "id");
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                json.RawText("name", block, "name");
                json.WriteString("arguments", block.GetProperty("input").GetRawText());
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }

    private static string? Joined(IEnumerable<JsonElement> blocks, string member)
    {
        var texts = blocks.Select(block => block.GetProperty(member).GetString()).ToList();
        return texts.Count == 0 ? null : string.Concat(texts);
    }
}
