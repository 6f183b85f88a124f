using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// message_start                      ► delta: role
/// content_block_delta text_delta     ► delta: content
///                     thinking_delta ► delta: reasoning_content; when its block ends, delta: thinking_blocks, signed, for the caller to send back
///                     input_json     ► delta: tool_calls[n].function.arguments
/// message_delta                      ► finish_reason
/// message_stop                       ► usage, if asked for; [DONE]
/// </code>
/// </summary>
internal sealed class MessagesStreamToChat(AnswerHead head) : ChatStreamWriting(head)
{
    private enum Block
    {
        Other,
        Tool,
        Thinking,
    }

    private readonly ArrayBufferWriter<byte> thinking = new();
    private readonly ArrayBufferWriter<byte> signature = new();
    private Block block;
    private bool started;
    private bool finished;
    private bool hasArguments;
    private int calls;

    protected override Dialect Reads => Dialect.Messages;

    protected override void Take(ReadOnlySpan<byte> data)
    {
        var read = new MessagesEvent(data);
        read.Read(ref Told);
        if (read.Is("error"u8))
        {
            Fail(read.Error ?? new ProviderError("api_error", "The provider failed."));
        }
        else if (read.Is("message_start"u8))
        {
            started = true;
            OpenDelta();
            Json.WriteString("role"u8, "assistant"u8);
            Json.WriteString("content"u8, ""u8);
            CloseDelta(null);
        }
        else if (read.Is("ping"u8))
        {
            return;
        }
        else if (!started)
        {
            throw new JsonException("The stream does not begin with message_start.");
        }
        else if (read.Is("content_block_start"u8))
        {
            Start(data, read);
        }
        else if (read.Is("content_block_delta"u8))
        {
            Delta(data, read);
        }
        else if (read.Is("content_block_stop"u8))
        {
            Stop();
        }
        else if (read.Is("message_delta"u8) && read.StopReason is not null)
        {
            finished = true;
            OpenDelta();
            CloseDelta(Reasons.ToChat(data.Of(read.StopReason), Head.IsComposed));
        }
        else if (read.Is("message_stop"u8))
        {
            Finish();
        }
    }

    private void Start(ReadOnlySpan<byte> data, MessagesEvent read)
    {
        block = Block.Other;
        if (read.PartIs("tool_use"u8))
        {
            if (read.Id is null || read.Name is null)
            {
                throw new JsonException("A tool call has neither id nor name.");
            }

            block = Block.Tool;
            hasArguments = false;
            OpenCall(calls++);
            Json.Escaped("id"u8, data.Of(read.Id));
            Json.WriteString("type"u8, "function"u8);
            Json.WriteStartObject("function"u8);
            Json.Escaped("name"u8, data.Of(read.Name));
            Json.WriteString("arguments"u8, ""u8);
            CloseCall();
        }
        else if (read.PartIs("thinking"u8))
        {
            block = Block.Thinking;
            thinking.ResetWrittenCount();
            signature.ResetWrittenCount();
        }
        else if (read.PartIs("redacted_thinking"u8))
        {
            OpenThinking("redacted_thinking"u8);
            Json.Escaped("data"u8, data.Of(read.Text));
            CloseThinking();
        }
        else if (read.PartIs("text"u8) && read.Text is { Length: > 0 })
        {
            Content("content"u8, data.Of(read.Text));
        }
    }

    private void Delta(ReadOnlySpan<byte> data, MessagesEvent read)
    {
        var text = data.Of(read.Text);
        if (text.IsEmpty)
        {
            return;
        }

        if (read.PartIs("text_delta"u8))
        {
            Content("content"u8, text);
        }
        else if (read.PartIs("thinking_delta"u8))
        {
            thinking.Write(text);
            Content("reasoning_content"u8, text);
        }
        else if (read.PartIs("signature_delta"u8))
        {
            signature.Write(text);
        }
        else if (read.PartIs("input_json_delta"u8) && block == Block.Tool)
        {
            Arguments(text);
        }
    }

    private void Stop()
    {
        if (block == Block.Tool && !hasArguments)
        {
            Arguments("{}"u8); // Chat's arguments are always an object.
        }
        else if (block == Block.Thinking && signature.WrittenCount > 0)
        {
            OpenThinking("thinking"u8);
            Json.Escaped("thinking"u8, thinking.WrittenSpan);
            Json.Escaped("signature"u8, signature.WrittenSpan);
            CloseThinking();
        }

        block = Block.Other;
    }

    private void Finish()
    {
        if (!finished)
        {
            throw new JsonException("The stream ends without a reason.");
        }

        if (Head.WantsUsage)
        {
            OpenChunk();
            Json.WriteStartArray("choices"u8);
            Json.WriteEndArray();
            Json.WriteChatUsage(Usage ?? default);
            End();
        }

        WriteDone();
        State = StreamState.Done;
    }

    private void Content(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        TextBytes += JsonText.Length(text);
        OpenDelta();
        Json.Escaped(name, text);
        CloseDelta(null);
    }

    private void Arguments(ReadOnlySpan<byte> text)
    {
        hasArguments = true;
        TextBytes += JsonText.Length(text);
        OpenCall(calls - 1);
        Json.WriteStartObject("function"u8);
        Json.Escaped("arguments"u8, text);
        CloseCall();
    }

    private void OpenCall(int index)
    {
        OpenDelta();
        Json.WriteStartArray("tool_calls"u8);
        Json.WriteStartObject();
        Json.WriteNumber("index"u8, index);
    }

    private void CloseCall()
    {
        Json.WriteEndObject();
        Json.WriteEndObject();
        Json.WriteEndArray();
        CloseDelta(null);
    }

    private void OpenThinking(ReadOnlySpan<byte> type)
    {
        OpenDelta();
        Json.WriteStartArray("thinking_blocks"u8);
        Json.WriteStartObject();
        Json.WriteString("type"u8, type);
    }

    private void CloseThinking()
    {
        Json.WriteEndObject();
        Json.WriteEndArray();
        CloseDelta(null);
    }
}
