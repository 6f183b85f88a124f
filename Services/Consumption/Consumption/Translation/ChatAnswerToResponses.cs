using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>A chat completion as a response: a reasoning item, a message, then a <c>function_call</c> item each.</summary>
internal static class ChatAnswerToResponses
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Chat, output, (root, usage, json) =>
    {
        var (message, reason) = AnswerReading.Choice(root);
        var items = new ResponseItems(head);
        if ((message.GetText("reasoning_content") ?? message.GetText("reasoning")) is { } reasoning)
        {
            ResponseItems.Append(items.Add(ItemKind.Reasoning), Escaped(reasoning));
        }

        foreach (var (name, kind) in new[] { ("content", ItemKind.Text), ("refusal", ItemKind.Refusal) })
        {
            if (message.GetText(name) is { } text)
            {
                ResponseItems.Append(items.Add(kind), Escaped(text));
            }
        }

        foreach (var call in AnswerReading.Calls(message))
        {
            var function = call.GetProperty("function");
            ResponseItems.Append(items.Add(ItemKind.Call, Escaped(call.GetProperty("id")), Escaped(function.GetProperty("name"))), Escaped(function.GetProperty("arguments")));
        }

        json.WriteStartObject();
        items.WriteResponse(json, Reasons.Incomplete(reason) is { } incomplete ? ("incomplete", incomplete) : ("completed", null), usage);
        json.WriteEndObject();
    });

    private static ReadOnlySpan<byte> Escaped(JsonElement text) => text.ValueKind == JsonValueKind.String
        ? Encoding.UTF8.GetBytes(text.GetRawText()).AsSpan()[1..^1]
        : throw new JsonException("A text is expected.");
}
