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
    private bool started;
    private bool finished;

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
            WriteRole();
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
            CloseBlock();
        }
        else if (read.Is("message_delta"u8) && read.StopReason is not null)
        {
            finished = true;
            WriteReason(Reasons.ToChat(data.Of(read.StopReason), Head.IsComposed));
        }
        else if (read.Is("message_stop"u8))
        {
            WriteEnd(finished);
        }
    }

    private void Start(ReadOnlySpan<byte> data, MessagesEvent read)
    {
        if (read.PartIs("tool_use"u8))
        {
            if (read.Id is null || read.Name is null)
            {
                throw new JsonException("A tool call has neither id nor name.");
            }

            BeginCall(data.Of(read.Id), data.Of(read.Name));
        }
        else if (read.PartIs("redacted_thinking"u8))
        {
            WriteRedacted(data.Of(read.Text));
        }
        else if (read.PartIs("text"u8))
        {
            WriteText(data.Of(read.Text));
        }
    }

    private void Delta(ReadOnlySpan<byte> data, MessagesEvent read)
    {
        var text = data.Of(read.Text);
        if (read.PartIs("text_delta"u8))
        {
            WriteText(text);
        }
        else if (read.PartIs("thinking_delta"u8))
        {
            WriteSignedThought(text);
        }
        else if (read.PartIs("signature_delta"u8))
        {
            Sign(text);
        }
        else if (read.PartIs("input_json_delta"u8))
        {
            WriteArguments(text);
        }
    }
}
