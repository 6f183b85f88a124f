using System.Buffers;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// A stream in two steps: each event of the provider's becomes chunks of Chat, each chunk events of the caller's. Usage and produced text are those of the first step, errors are passed
/// on as the provider told them.
/// </summary>
internal sealed class ComposedStream : StreamTranslator
{
    private readonly StreamTranslator first;
    private readonly StreamTranslator second;
    private readonly ArrayBufferWriter<byte> chunks = new();
    private readonly ArrayBufferWriter<byte> events = new();

    public ComposedStream(Dialect caller, Dialect provider, AnswerHead head)
        : base(head)
    {
        var composed = head with { IsComposed = true, WantsUsage = false };
        first = Translators.Stream(Dialect.Chat, provider, composed);
        second = Translators.Stream(caller, Dialect.Chat, composed);
        (Reads, Writes) = (provider, caller);
        Before = second.Before = first;
    }

    protected override Dialect Reads { get; }

    protected override Dialect Writes { get; }

    public override bool TryFinish(IBufferWriter<byte> output)
    {
        chunks.ResetWrittenCount();
        if (State != StreamState.Open || !first.TryFinish(chunks))
        {
            return false;
        }

        To(output);
        PassOn();
        return State == StreamState.Done;
    }

    public override void WriteError(CallRefusal refusal, IBufferWriter<byte> output)
    {
        State = StreamState.Failed;
        second.WriteError(refusal, output); // It knows the number of the next event.
    }

    protected override void Take(ReadOnlySpan<byte> data)
    {
        chunks.ResetWrittenCount();
        first.Feed(data, chunks);
        if (first.Error is { } error)
        {
            events.ResetWrittenCount();
            second.Fail(error, events);
            Write(events.WrittenSpan);
            State = StreamState.Failed;
            return;
        }

        PassOn();
    }

    /// <summary>Feeds the chunks that the first step wrote to the second, and what it writes to the caller when all of it can be.</summary>
    private void PassOn()
    {
        events.ResetWrittenCount();
        for (var rest = chunks.WrittenSpan; !rest.IsEmpty;)
        {
            var end = rest.IndexOf("\n\n"u8);
            second.Feed(rest["data: ".Length..end], events);
            rest = rest[(end + 2)..];
        }

        Write(events.WrittenSpan);
        State = second.State;
    }

    protected override void Dispose(bool disposing)
    {
        first.Dispose();
        second.Dispose();
        base.Dispose(disposing);
    }
}
