using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// first chunk                 ► message_start
/// delta: content, refusal     ► a text block
///        reasoning_content    ► a thinking block, its signature empty
///        tool_calls[n]        ► a tool_use block each
/// finish_reason, usage        ► kept
/// [DONE]                      ► message_delta with stop reason and usage, message_stop
/// </code>
/// Only one block is open at a time, as the clients' accumulators expect.
/// </summary>
internal sealed class ChatStreamToMessages(AnswerHead head) : StreamTranslator(head)
{
    private enum Block
    {
        None,
        Text,
        Thinking,
        Tool,
    }

    private readonly ChatChunk chunk = new();
    private Block block;
    private int index = -1;
    private int call = -1;
    private bool started;
    private bool refused;
    private string? stopReason;

    protected override Dialect Reads => Dialect.Chat;

    protected override Dialect Writes => Dialect.Messages;

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
            Start();
        }

        Text(Block.Thinking, data.Of(chunk.Reasoning));
        foreach (var thinking in Head.IsComposed ? chunk.Thinking : [])
        {
            Signed(data, thinking);
        }

        Text(Block.Text, data.Of(chunk.Content));
        refused |= chunk.Refusal is { Length: > 0 };
        Text(Block.Text, data.Of(chunk.Refusal));
        foreach (var delta in chunk.Calls)
        {
            Call(data, delta);
        }

        if (chunk.FinishReason is { } reason)
        {
            stopReason = Reasons.ToMessages(data.Of(reason), call >= 0, refused);
        }
    }

    /// <summary>Calls come one after the other; each begins with its name.</summary>
    private void Check()
    {
        var last = block is Block.Tool or Block.None && chunk.Content is not { Length: > 0 } && chunk.Reasoning is not { Length: > 0 } ? call : int.MinValue;
        var begun = call;
        foreach (var delta in chunk.Calls)
        {
            if (delta.Index > begun)
            {
                if (delta.Id is null || delta.Name is null)
                {
                    throw new JsonException("A tool call begins without id or name.");
                }

                begun = delta.Index;
                last = begun;
            }
            else if (delta.Index != last)
            {
                throw new JsonException("A tool call goes on after another one began.");
            }
        }
    }

    private void Start()
    {
        started = true;
        Begin("message_start"u8);
        Json.WriteStartObject("message"u8);
        Json.WriteString("id"u8, Head.Id("msg_"));
        Json.WriteString("type"u8, "message"u8);
        Json.WriteString("role"u8, "assistant"u8);
        Json.WriteString("model"u8, Head.Model);
        Json.WriteStartArray("content"u8);
        Json.WriteEndArray();
        Json.WriteNull("stop_reason"u8);
        Json.WriteNull("stop_sequence"u8);
        Json.WriteMessagesUsage(Usage ?? default);
        Json.WriteEndObject();
        End();
    }

    private void Text(Block kind, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return;
        }

        var isText = kind == Block.Text;
        if (block != kind && !isText)
        {
            OpenThinking();
        }
        else if (block != kind)
        {
            Open(kind);
            Json.WriteString("type"u8, "text"u8);
            Json.WriteString("text"u8, ""u8);
            Json.WriteEndObject();
            End();
        }

        Delta(isText ? "text_delta"u8 : "thinking_delta"u8, isText ? "text"u8 : "thinking"u8, text);
    }

    /// <summary>Signs the thinking that came before, or brings a block of its own.</summary>
    private void Signed(ReadOnlySpan<byte> data, ThinkingBlock thinking)
    {
        if (thinking.Data is { } redacted)
        {
            Redacted(data.Of(redacted));
            return;
        }

        if (block != Block.Thinking)
        {
            Text(Block.Thinking, data.Of(thinking.Text));
        }

        if (block != Block.Thinking)
        {
            OpenThinking(); // A signature on nothing that is shown.
        }

        Delta("signature_delta"u8, "signature"u8, data.Of(thinking.Signature));
        Close();
    }

    private void Redacted(ReadOnlySpan<byte> data)
    {
        Open(Block.Thinking);
        Json.WriteString("type"u8, "redacted_thinking"u8);
        Json.Escaped("data"u8, data);
        Json.WriteEndObject();
        End();
        Close();
    }

    private void OpenThinking()
    {
        Open(Block.Thinking);
        Json.WriteString("type"u8, "thinking"u8);
        Json.WriteString("thinking"u8, ""u8);
        Json.WriteString("signature"u8, ""u8);
        Json.WriteEndObject();
        End();
    }

    private void Call(ReadOnlySpan<byte> data, ToolCallDelta delta)
    {
        if (delta.Index > call)
        {
            call = delta.Index;
            if (Head.IsComposed && delta.Signature is { } signature)
            {
                Redacted(ThinkingBlocks.OfGoogle(data.Of(signature)));
            }

            Open(Block.Tool);
            Json.WriteString("type"u8, "tool_use"u8);
            Json.Escaped("id"u8, data.Of(delta.Id));
            Json.Escaped("name"u8, data.Of(delta.Name));
            Json.WriteStartObject("input"u8);
            Json.WriteEndObject();
            Json.WriteEndObject();
            End();
        }

        if (delta.Arguments is { Length: > 0 })
        {
            Delta("input_json_delta"u8, "partial_json"u8, data.Of(delta.Arguments));
        }
    }

    private void Open(Block kind)
    {
        Close();
        block = kind;
        index++;
        Begin("content_block_start"u8);
        Json.WriteNumber("index"u8, index);
        Json.WriteStartObject("content_block"u8);
    }

    private void Delta(ReadOnlySpan<byte> type, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        Produced(text);
        Begin("content_block_delta"u8);
        Json.WriteNumber("index"u8, index);
        Json.WriteStartObject("delta"u8);
        Json.WriteString("type"u8, type);
        Json.Escaped(name, text);
        Json.WriteEndObject();
        End();
    }

    private void Close()
    {
        if (block != Block.None)
        {
            Begin("content_block_stop"u8);
            Json.WriteNumber("index"u8, index);
            End();
            block = Block.None;
        }
    }

    private void Finish()
    {
        if (stopReason is null)
        {
            throw new JsonException("The stream ends without a reason.");
        }

        Close();
        Begin("message_delta"u8);
        Json.WriteStartObject("delta"u8);
        Json.WriteString("stop_reason"u8, stopReason);
        Json.WriteNull("stop_sequence"u8);
        Json.WriteEndObject();
        Json.WriteMessagesUsage(Usage ?? default);
        End();
        Begin("message_stop"u8);
        End();
        State = StreamState.Done;
    }
}
