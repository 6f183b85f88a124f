using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A Converse answer (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html) as a chat completion: texts joined, reasoning as <c>reasoning_content</c> and,
/// signed, as <c>thinking_blocks</c>, for the caller to send back.
/// </summary>
internal static class ConverseAnswerToChat
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Converse, output, (root, usage, json) => json.WriteCompletion(
        head,
        () => json.WriteMessages(AnswerReading.Runs([.. root.GetProperty("output").GetProperty("message").GetProperty("content").EnumerateArray()], Rank, head), head, WriteMessage),
        Reasons.ConverseToChat(Encoding.UTF8.GetBytes(root.GetProperty("stopReason").GetString() ?? ""), head.IsComposed),
        usage));

    private static int Rank(JsonElement block) => block.Get("reasoningContent") is not null ? 0 : block.Get("toolUse") is not null ? 2 : 1;

    private static void WriteMessage(List<JsonElement> blocks, Utf8JsonWriter json)
    {
        var reasoning = Members(blocks, "reasoningContent");
        var calls = Members(blocks, "toolUse");
        json.WriteString("role", "assistant");
        json.WriteString("content", Joined(Members(blocks, "text")));
        json.WriteNull("refusal");
        if (Joined(reasoning.Select(one => one.Get("reasoningText")?.Get("text")).OfType<JsonElement>()) is { } thought)
        {
            json.WriteString("reasoning_content", thought);
        }

        WriteThinking(reasoning, json);
        if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls");
            foreach (var call in calls)
            {
                json.WriteStartObject();
                json.RawText("id", call, "toolUseId");
                json.WriteString("type", "function");
                json.WriteStartObject("function");
                json.RawText("name", call, "name");
                json.WriteString("arguments", call.Get("input")?.GetRawText() ?? "{}");
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }
    }

    /// <summary>As Messages has them, for that is how Chat callers know them.</summary>
    private static void WriteThinking(List<JsonElement> reasoning, Utf8JsonWriter json)
    {
        var signed = reasoning.Where(one => one.Get("redactedContent") is not null || one.Get("reasoningText")?.GetText("signature") is not null).ToList();
        if (signed.Count == 0)
        {
            return;
        }

        json.WriteStartArray("thinking_blocks");
        foreach (var one in signed)
        {
            json.WriteStartObject();
            if (one.Get("reasoningText") is { } thought)
            {
                json.WriteString("type", "thinking");
                json.RawText("thinking", thought, "text");
                json.RawText("signature", thought, "signature");
            }
            else
            {
                json.WriteString("type", "redacted_thinking");
                json.RawText("data", one, "redactedContent");
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static List<JsonElement> Members(List<JsonElement> blocks, string name) => [.. blocks.Select(block => block.Get(name)).OfType<JsonElement>()];

    private static string? Joined(IEnumerable<JsonElement> texts)
    {
        var all = texts.Select(text => text.GetString()).ToList();
        return all.Count == 0 ? null : string.Concat(all);
    }
}
