using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// <code>
/// messageStart                        ► delta: role
/// contentBlockDelta text              ► delta: content
///                   reasoningContent  ► delta: reasoning_content; when its block ends, delta: thinking_blocks, signed, for the caller to send back
///                   toolUse           ► delta: tool_calls[n].function.arguments
/// messageStop                         ► kept
/// metadata                            ► usage, kept
/// the connection ends                 ► finish_reason; usage, if asked for; [DONE]     when there was a reason: the protocol has no event that ends a stream
/// </code>
/// Each event comes as an object of its one name (<see cref="Platforms.AmazonEventStream"/>).
/// </summary>
internal sealed class ConverseStreamToChat(AnswerHead head) : ChatStreamWriting(head)
{
    private readonly ArrayBufferWriter<byte> redacted = new();
    private bool started;
    private string? reason;

    protected override Dialect Reads => Dialect.Converse;

    public override bool TryFinish(IBufferWriter<byte> output)
    {
        if (State != StreamState.Open || reason is null)
        {
            return false;
        }

        To(output);
        WriteReason(reason);
        WriteEnd();
        return true;
    }

    protected override void Take(ReadOnlySpan<byte> data)
    {
        var none = default(UsageFields);
        ReadUsage.Read(data, Dialect.Converse, ref none); // One object and nothing behind it.
        var reader = new Utf8JsonReader(data);
        using var document = JsonDocument.ParseValue(ref reader);
        try
        {
            Take(document.RootElement, data);
        }
        catch (InvalidOperationException wrong)
        {
            throw new JsonException($"The event is not laid out as its protocol says: {wrong.Message}", wrong);
        }
    }

    private void Take(JsonElement root, ReadOnlySpan<byte> data)
    {
        if (root.Get("error") is not null)
        {
            Fail(ProviderError.Read(data.ToArray()));
        }
        else if (root.Get("messageStart") is not null)
        {
            started = true;
            WriteRole();
        }
        else if (!started)
        {
            throw new JsonException("The stream does not begin with messageStart.");
        }
        else if (root.Get("contentBlockStart") is { } begun)
        {
            Start(begun.Get("start")?.Get("toolUse"));
        }
        else if (root.Get("contentBlockDelta")?.Get("delta") is { } delta)
        {
            Delta(delta);
        }
        else if (root.Get("contentBlockStop") is not null)
        {
            Stop();
        }
        else if (root.Get("messageStop") is { } stop)
        {
            reason = Reasons.ConverseToChat(Encoding.UTF8.GetBytes(stop.Get("stopReason")?.GetString() ?? throw new JsonException("The stream ends without a reason.")), Head.IsComposed);
        }
        else if (root.Get("metadata") is { } metadata)
        {
            ReadUsage.Read(JsonMarshal.GetRawUtf8Value(metadata), Dialect.Converse, ref Told);
        }
    }

    private void Start(JsonElement? call)
    {
        if (call is { } begun)
        {
            var id = begun.Word("toolUseId") ?? throw new JsonException("A tool call has no id.");
            var name = begun.Word("name") ?? throw new JsonException("A tool call has no name.");
            BeginCall(AnswerReading.Escaped(id), AnswerReading.Escaped(name));
        }
    }

    private void Delta(JsonElement delta)
    {
        if (delta.Word("text") is { } text)
        {
            WriteText(AnswerReading.Escaped(text));
        }
        else if (delta.Get("toolUse")?.Word("input") is { } input)
        {
            WriteArguments(AnswerReading.Escaped(input));
        }
        else if (delta.Get("reasoningContent") is { } reasoning)
        {
            Reason(reasoning);
        }
    }

    private void Reason(JsonElement reasoning)
    {
        if (reasoning.Word("text") is { } thought)
        {
            WriteSignedThought(AnswerReading.Escaped(thought));
        }
        else if (reasoning.Word("signature") is { } signed)
        {
            Sign(AnswerReading.Escaped(signed));
        }
        else if (reasoning.Word("redactedContent") is { } hidden)
        {
            redacted.Write(hidden.TryGetBytesFromBase64(out var bytes) ? bytes : throw new JsonException("`redactedContent` must be in base64."));
        }
    }

    private void Stop()
    {
        if (redacted.WrittenCount > 0)
        {
            WriteRedacted(Encoding.UTF8.GetBytes(Convert.ToBase64String(redacted.WrittenSpan))); // One of its block, in however many pieces it came.
            redacted.ResetWrittenCount();
        }

        CloseBlock();
    }
}
