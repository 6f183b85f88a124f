using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>Where a stream stands after an event.</summary>
internal enum StreamState
{
    /// <summary>It goes on.</summary>
    Open,

    /// <summary>The event ended it as its protocol ends a stream, and what was written last ends the caller's.</summary>
    Done,

    /// <summary>The provider sent an error in the stream; the caller's was ended with one.</summary>
    Failed,
}

/// <summary>Translates one stream. Fed whole events in their order; after <see cref="StreamState.Done"/> or <see cref="StreamState.Failed"/> it takes no more.</summary>
internal abstract class StreamTranslator : IDisposable
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    /// <summary>What the provider said of usage so far.</summary>
    private protected UsageFields Told;

    private readonly ArrayBufferWriter<byte> nothing = new(1);
    private IBufferWriter<byte>? target;
    private bool hasBegun;

    protected StreamTranslator(AnswerHead head)
    {
        Head = head;
        Json = new Utf8JsonWriter(nothing, Fast);
    }

    /// <summary>In a composition, what reads the provider's events: what it was told is what counts.</summary>
    public StreamTranslator? Before { get; set; }

    /// <summary>Bytes of produced text so far (<see cref="TextLength"/>).</summary>
    public long TextBytes { get => Before?.TextBytes ?? field; private set; }

    /// <summary>Of these, how many had come when it last said something of usage.</summary>
    public long ToldTextBytes { get => Before?.ToldTextBytes ?? field; private set; }

    /// <summary>What the provider said of usage so far; null when it did not, or said nonsense.</summary>
    public TokenUsage? Usage => Before is { } before ? before.Usage : Told.ToUsage(Reads);

    /// <summary>The same in its own words (<see cref="UsageFields.ToText"/>).</summary>
    public string? ProviderUsage => Before is { } before ? before.ProviderUsage : Told.ToText();

    /// <summary>What the provider failed with, in the stream.</summary>
    public ProviderError? Error { get; private set; }

    public StreamState State { get; private protected set; }

    protected AnswerHead Head { get; }

    protected Utf8JsonWriter Json { get; }

    /// <summary>The dialect that is read.</summary>
    protected abstract Dialect Reads { get; }

    /// <summary>The dialect that is written.</summary>
    protected abstract Dialect Writes { get; }

    /// <summary>The number that the next event would have, for dialects that number them.</summary>
    protected long Sequence { get; set; }

    /// <summary>Translates one event.</summary>
    /// <param name="data">Its data; <c>[DONE]</c> too.</param>
    /// <param name="output">Takes zero or more whole events. When the state is then <see cref="StreamState.Done"/>, hold them back until the call is settled.</param>
    /// <exception cref="JsonException">The event is not what its protocol says. Nothing was written; end the stream with <see cref="WriteError(CallRefusal, IBufferWriter{byte})"/>.</exception>
    public StreamState Feed(ReadOnlySpan<byte> data, IBufferWriter<byte> output)
    {
        if (State != StreamState.Open)
        {
            throw new JsonException("The stream goes on after its end.");
        }

        target = output;
        var times = Told.Times;
        Take(data);
        ToldTextBytes = Told.Times == times ? ToldTextBytes : TextBytes;
        return State;
    }

    /// <summary>The provider's connection ended. Whether its protocol ends streams so, and this one is complete: then what was written ends the caller's.</summary>
    /// <param name="output">Takes zero or more whole events, to be held back until the call is settled.</param>
    public virtual bool TryFinish(IBufferWriter<byte> output) => false;

    /// <summary>Ends a stream that cannot go on with an error event.</summary>
    public virtual void WriteError(CallRefusal refusal, IBufferWriter<byte> output)
    {
        State = StreamState.Failed;
        output.Write(ErrorBodies.Event(Writes, refusal, Sequence++));
    }

    /// <summary>Ends the stream with what the provider failed with, as another translator read it.</summary>
    public void Fail(ProviderError error, IBufferWriter<byte> output)
    {
        target = output;
        Fail(error);
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Json.Dispose();

    /// <summary>Counts produced text.</summary>
    protected void Produced(ReadOnlySpan<byte> escaped) => TextBytes += TextLength.Of(escaped);

    /// <summary>Writes events that are whole already.</summary>
    protected void Write(ReadOnlySpan<byte> events) => target!.Write(events);

    /// <summary>What is written from here on goes there.</summary>
    protected void To(IBufferWriter<byte> output) => target = output;

    /// <summary>Reads first, then writes: an event that cannot be read leaves no trace.</summary>
    protected abstract void Take(ReadOnlySpan<byte> data);

    /// <summary>Begins an event; its object is open.</summary>
    protected void Begin(ReadOnlySpan<byte> name)
    {
        if (!name.IsEmpty)
        {
            target!.Write("event: "u8);
            target!.Write(name);
            target!.Write("\n"u8);
        }

        target!.Write("data: "u8);
        Json.Reset(target!);
        Json.WriteStartObject();
        if (!name.IsEmpty)
        {
            Json.WriteString("type"u8, name);
        }

        hasBegun = true;
    }

    /// <summary>Closes the event's object and ends it.</summary>
    protected void End()
    {
        System.Diagnostics.Debug.Assert(hasBegun, "Begin comes first.");
        Json.WriteEndObject();
        Json.Flush();
        target!.Write("\n\n"u8);
        hasBegun = false;
    }

    protected void WriteDone() => target!.Write("data: [DONE]\n\n"u8);

    /// <summary>Passes on a provider's error event: what it says, under the caller's protocol.</summary>
    protected void Fail(ProviderError error)
    {
        State = StreamState.Failed;
        Error = error;
        target!.Write(error.ToEvent(Writes, Sequence++));
    }
}
