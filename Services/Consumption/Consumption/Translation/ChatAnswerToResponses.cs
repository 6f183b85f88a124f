using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>A chat completion as a response: a reasoning item, a message, then a <c>function_call</c> item each.</summary>
internal static class ChatAnswerToResponses
{
    /// <exception cref="JsonException">The answer is not what its protocol says.</exception>
    public static void Translate(ReadOnlyMemory<byte> answer, AnswerHead head, IBufferWriter<byte> output) => AnswerReading.Translate(answer, Dialect.Chat, output, (root, usage, json) =>
    {
        var items = new ResponseItems(head);
        foreach (var message in AnswerReading.Messages(root, head))
        {
            Add(message, head, items);
        }

        json.WriteStartObject();
        items.WriteResponse(json, Reasons.Incomplete(AnswerReading.Reason(root)) is { } incomplete ? ("incomplete", incomplete) : ("completed", null), head.Usage ?? usage);
        json.WriteEndObject();
    });

    private static void Add(JsonElement message, AnswerHead head, ResponseItems items)
    {
        if (head.IsComposed && message.Get("thinking_blocks") is { } blocks)
        {
            foreach (var block in blocks.EnumerateArray())
            {
                var item = items.Add(ItemKind.Reasoning);
                if (block.Get("data") is { } data)
                {
                    item.Sealed = ThinkingBlocks.Sealed(AnswerReading.Escaped(data));
                    continue;
                }

                var text = AnswerReading.Escaped(block.GetProperty("thinking"));
                ResponseItems.Append(item, text);
                item.Sealed = ThinkingBlocks.Sealed(text, AnswerReading.Escaped(block.GetProperty("signature")));
            }
        }
        else if ((message.GetText("reasoning_content") ?? message.GetText("reasoning")) is { } reasoning)
        {
            ResponseItems.Append(items.Add(ItemKind.Reasoning), AnswerReading.Escaped(reasoning));
        }

        foreach (var (name, kind) in new[] { ("content", ItemKind.Text), ("refusal", ItemKind.Refusal) })
        {
            if (message.GetText(name) is { } text)
            {
                ResponseItems.Append(items.Add(kind), AnswerReading.Escaped(text));
            }
        }

        foreach (var call in AnswerReading.Calls(message))
        {
            if (AnswerReading.Signature(call, head) is { } signature)
            {
                items.Add(ItemKind.Reasoning).Sealed = ThinkingBlocks.Sealed(ThinkingBlocks.OfGoogle(AnswerReading.Escaped(signature)));
            }

            var function = call.GetProperty("function");
            ResponseItems.Append(
                items.Add(ItemKind.Call, AnswerReading.Escaped(call.GetProperty("id")), AnswerReading.Escaped(function.GetProperty("name"))), AnswerReading.Escaped(function.GetProperty("arguments")));
        }
    }
}
