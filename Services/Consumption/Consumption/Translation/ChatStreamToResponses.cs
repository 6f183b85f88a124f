using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// first chunk            ► response.created, response.in_progress
/// delta: begins an item  ► response.output_item.added, response.content_part.added (not for calls)
///        goes on         ► response.output_text.delta, .refusal.delta, .reasoning_text.delta or .function_call_arguments.delta
///        another begins  ► the same with .done, response.content_part.done, response.output_item.done
/// [DONE]                 ► response.completed, or response.incomplete
/// </code>
/// Events are numbered from 0 (https://platform.openai.com/docs/api-reference/responses-streaming).
/// </summary>
internal sealed class ChatStreamToResponses(AnswerHead head) : StreamTranslator(head)
{
    private readonly ChatChunk chunk = new();
    private readonly ResponseItems items = new(head);
    private ResponseItem? open;
    private int call = -1;
    private bool started;
    private bool finished;
    private string? incomplete;

    protected override Dialect Reads => Dialect.Chat;

    protected override Dialect Writes => Dialect.Responses;

    protected override void Take(ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8))
        {
            Finish();
            return;
        }

        chunk.Read(data, ref Told);
        if (chunk.Error is { } error)
        {
            Fail(error);
            return;
        }

        Check();
        if (!started)
        {
            started = true;
            Response("response.created"u8, ("in_progress", null));
            Response("response.in_progress"u8, ("in_progress", null));
        }

        Text(ItemKind.Reasoning, data.Of(chunk.Reasoning));
        foreach (var thinking in Head.IsComposed ? chunk.Thinking : [])
        {
            Signed(data, thinking);
        }

        Text(ItemKind.Text, data.Of(chunk.Content));
        Text(ItemKind.Refusal, data.Of(chunk.Refusal));
        foreach (var delta in chunk.Calls)
        {
            if (delta.Index > call)
            {
                call = delta.Index;
                if (Head.IsComposed && delta.Signature is { } signature)
                {
                    Sealed(ThinkingBlocks.Sealed(ThinkingBlocks.OfGoogle(data.Of(signature))));
                }

                Open(items.Add(ItemKind.Call, data.Of(delta.Id), data.Of(delta.Name)));
            }

            Delta(data.Of(delta.Arguments));
        }

        if (chunk.FinishReason is { } reason)
        {
            finished = true;
            incomplete = Reasons.Incomplete(data.Of(reason));
        }
    }

    /// <summary>Calls come one after the other; each begins with its name.</summary>
    private void Check()
    {
        var text = chunk.Content is { Length: > 0 } || chunk.Reasoning is { Length: > 0 } || chunk.Refusal is { Length: > 0 };
        var last = open?.Kind == ItemKind.Call && !text ? call : -1;
        var begun = call;
        foreach (var delta in chunk.Calls)
        {
            if (delta.Index > begun)
            {
                if (delta.Id is null || delta.Name is null)
                {
                    throw new JsonException("A tool call begins without id or name.");
                }

                last = begun = delta.Index;
            }
            else if (delta.Index != last)
            {
                throw new JsonException("A tool call goes on after something else began.");
            }
        }
    }

    private void Text(ItemKind kind, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        if (open?.Kind != kind)
        {
            Open(items.Add(kind));
        }

        Delta(text);
    }

    /// <summary>Signs the reasoning that came before, or brings an item of its own.</summary>
    private void Signed(ReadOnlySpan<byte> data, ThinkingBlock thinking)
    {
        if (thinking.Data is { } redacted)
        {
            Sealed(ThinkingBlocks.Sealed(data.Of(redacted)));
            return;
        }

        var sealedBlock = ThinkingBlocks.Sealed(data.Of(thinking.Text), data.Of(thinking.Signature));
        if (open?.Kind != ItemKind.Reasoning)
        {
            Text(ItemKind.Reasoning, data.Of(thinking.Text));
        }

        if (open?.Kind != ItemKind.Reasoning)
        {
            Sealed(sealedBlock); // A signature on nothing that is shown.
            return;
        }

        open.Sealed = sealedBlock;
        Close("completed"u8);
    }

    /// <summary>An item of nothing but what is sealed.</summary>
    private void Sealed(string block)
    {
        Close("completed"u8);
        var item = items.Add(ItemKind.Reasoning);
        item.Sealed = block;
        Item("response.output_item.added"u8, item, "in_progress"u8);
        Item("response.output_item.done"u8, item, "completed"u8);
    }

    private void Item(ReadOnlySpan<byte> name, ResponseItem item, ReadOnlySpan<byte> status)
    {
        Numbered(name);
        Json.WriteNumber("output_index"u8, item.Index);
        Json.WriteStartObject("item"u8);
        ResponseItems.WriteItem(Json, item, status);
        Json.WriteEndObject();
        End();
    }

    private void Open(ResponseItem item)
    {
        Close("completed"u8);
        open = item;
        Item("response.output_item.added"u8, item, "in_progress"u8);
        if (item.Kind != ItemKind.Call)
        {
            Part("response.content_part.added"u8, item, default);
        }
    }

    private void Delta(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        Produced(text);
        ResponseItems.Append(open!, text);
        At(open!.Kind switch
        {
            ItemKind.Reasoning => "response.reasoning_text.delta"u8,
            ItemKind.Refusal => "response.refusal.delta"u8,
            ItemKind.Call => "response.function_call_arguments.delta"u8,
            _ => "response.output_text.delta"u8,
        }, open);
        Json.Escaped("delta"u8, text);
        NoLogprobs(open);
        End();
    }

    private void Close(ReadOnlySpan<byte> status)
    {
        if (open is not { } item)
        {
            return;
        }

        var text = item.Text.WrittenSpan;
        At(item.Kind switch
        {
            ItemKind.Reasoning => "response.reasoning_text.done"u8,
            ItemKind.Refusal => "response.refusal.done"u8,
            ItemKind.Call => "response.function_call_arguments.done"u8,
            _ => "response.output_text.done"u8,
        }, item);
        Json.Escaped(item.Kind switch { ItemKind.Refusal => "refusal"u8, ItemKind.Call => "arguments"u8, _ => "text"u8 }, text);
        NoLogprobs(item);
        if (item.Kind == ItemKind.Call)
        {
            Json.Escaped("name"u8, item.Name);
        }

        End();
        if (item.Kind != ItemKind.Call)
        {
            Part("response.content_part.done"u8, item, text);
        }

        Item("response.output_item.done"u8, item, status);
        open = null;
    }

    private void Finish()
    {
        if (!finished)
        {
            throw new JsonException("The stream ends without a reason.");
        }

        Close(incomplete is null ? "completed"u8 : "incomplete"u8);
        Response(incomplete is null ? "response.completed"u8 : "response.incomplete"u8, (incomplete is null ? "completed" : "incomplete", incomplete));
        State = StreamState.Done;
    }

    private void Part(ReadOnlySpan<byte> name, ResponseItem item, ReadOnlySpan<byte> text)
    {
        At(name, item);
        Json.WriteStartObject("part"u8);
        ResponseItems.WritePart(Json, item, text);
        Json.WriteEndObject();
        End();
    }

    private void Response(ReadOnlySpan<byte> name, (string Status, string? Incomplete) end)
    {
        Numbered(name);
        Json.WriteStartObject("response"u8);
        items.WriteResponse(Json, end, Usage);
        Json.WriteEndObject();
        End();
    }

    private void At(ReadOnlySpan<byte> name, ResponseItem item)
    {
        Numbered(name);
        Json.WriteString("item_id"u8, item.Id);
        Json.WriteNumber("output_index"u8, item.Index);
        if (item.Kind != ItemKind.Call)
        {
            Json.WriteNumber("content_index"u8, 0);
        }
    }

    private void NoLogprobs(ResponseItem item)
    {
        if (item.Kind == ItemKind.Text)
        {
            Json.WriteStartArray("logprobs"u8);
            Json.WriteEndArray();
        }
    }

    private void Numbered(ReadOnlySpan<byte> name)
    {
        Begin(name);
        Json.WriteNumber("sequence_number"u8, Sequence++);
    }
}
