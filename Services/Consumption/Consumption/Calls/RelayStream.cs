using System.Buffers;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Consumption.Translation;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Passes on a stream, event by event, as it comes.
/// <code>
/// provider                       marketplace                           caller
///   event ───────────────────────► read: usage? error? text ──flush──►  event
///   event, usage only ───────────► noted; passed on only if asked for
///   data: [DONE] ────────────────► settled, on disk ─────────flush──►  data: [DONE]
///   ends, breaks, falls silent ──► settled as cut ───────────flush──►  data: {"error":…}, and no [DONE]
///   ◄─────────────── cancelled ── settled as abandoned ◄────── leaves
///   ◄─────────────── cancelled ── ended by us: settled as cut ────►  data: {"error":…}; a reset when the caller does not read (its key was revoked with its calls, or this instance stops)
///   event … its end ─────────────► settled as abandoned ◄────── leaves  (a listing that is drained: read on, nothing passed on)
///   ◄─────────────── cancelled ── fenced: settled as cut ─reset─►     (this instance was not heard of for too long: <see cref="InstanceLease"/>)
/// </code>
/// Charged by the provider's last usage, else by a lower bound of what was passed on; the larger of both when text came after that usage and the stream did not come to its end, or all text came after it. A stream that breaks before anything was passed on is a failed call; one that breaks before it said anything costs nothing.
/// </summary>
internal sealed class RelayStream(EndAnswer endings, KeepResponses responses, InstanceLease lease, IOptions<CallOptions> options, TimeProvider time)
{
    private const string EventStream = "text/event-stream; charset=utf-8";

    // A stream is waited for without memory until so many reads in a row came this soon after each other: from then on that costs more than it saves.
    private const int QuickReads = 2;
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(2);

    // Of whoever reads, to take one event more.
    private static readonly TimeSpan TellWithin = TimeSpan.FromSeconds(1);

    /// <summary>Passes the stream on; or, when nothing of it could be, the reason.</summary>
    /// <param name="call">The call.</param>
    /// <param name="answer">The provider's answer.</param>
    /// <param name="clock">Wound up by every read.</param>
    /// <param name="stop">Falls with it; or when the caller leaves, unless the answer is drained.</param>
    public async Task<CallRefusal?> RunAsync(Call call, HttpResponseMessage answer, CallClock clock, CancellationToken stop)
    {
        using var buffer = new SseBuffer(options.Value.MaxEventBytes);
        using var translator = call.Plan!.Translated is null ? null : Translators.Stream(call.Surface.Dialect, call.Plan.Upstream.Dialect, Translate.Head(call, time.GetUtcNow()));
        var progress = new Progress { Translator = translator };
        var end = await PassOnAsync(call, answer, buffer, progress, clock, stop);
        var last = end.Kind == AnswerEndKind.Whole ? progress.Done! : progress.HasBegun && !progress.CallerLeft ? progress.Error(call, end.Why) : [];
        call.Copy?.Append(last);
        var (refusal, isHeard) = await endings.SettleAsync(call, answer, end, progress, clock);
        await (progress.Keeping ?? Task.CompletedTask);
        if (isHeard)
        {
            await TellAsync(call, end, last);
        }

        return refusal;
    }

    /// <summary>Sends the last event. Who was hung up on by us is not waited for: they may not read at all.</summary>
    private async Task TellAsync(Call call, AnswerEnd end, byte[] last)
    {
        if (end.Kind != AnswerEndKind.Ended)
        {
            await call.Http.Response.BodyWriter.WriteAsync(last, call.Left);
            return;
        }

        using var patience = new CancellationTokenSource(TellWithin, time);
        try
        {
            await call.Http.Response.BodyWriter.WriteAsync(last, patience.Token);
        }
        catch (OperationCanceledException)
        {
            call.Http.Abort();
        }
    }

    private async Task<AnswerEnd> PassOnAsync(Call call, HttpResponseMessage answer, SseBuffer buffer, Progress progress, CallClock clock, CancellationToken stop)
    {
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(stop);
            clock.AwaitFirstByte();
            var (readAt, quick) = (time.GetTimestamp(), 0);
            while (true)
            {
                if (quick < QuickReads && buffer.TryRest())
                {
                    _ = await stream.ReadAsync(Memory<byte>.Empty, stop); // Ends when there is something to read. Of ten thousand open streams, hardly any has memory to read into.
                }

                var read = await stream.ReadAsync(buffer.Room(), stop);
                if (read == 0)
                {
                    return progress.TryFinish(call) ? AnswerEnd.Whole : AnswerEnd.Cut;
                }

                clock.AwaitChunk();
                var now = time.GetTimestamp();
                (readAt, quick) = (now, time.GetElapsedTime(readAt, now) < Quick ? quick + 1 : 0);
                call.FirstByteMs ??= time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
                buffer.Filled(read);
                if (!lease.Holds(call.Admission!.InstanceId))
                {
                    return AnswerEnd.Fenced;
                }

                var end = progress.Translator is { } translator ? TakeTranslated(call, buffer, progress, translator) : Take(call, buffer, progress);
                if (progress.ResponseId is { } id)
                {
                    progress.Keeping ??= responses.KeepAsync(call, id);
                }

                if (progress.Unflushed)
                {
                    progress.Unflushed = false;
                    if (await progress.FlushAsync(call, clock) is { } byCaller)
                    {
                        return byCaller;
                    }
                }

                if (end is { } ended)
                {
                    return ended;
                }
            }
        }
        catch (Exception broken) when (AnswerEnd.IsExpected(broken))
        {
            return AnswerEnd.Of(broken, call, clock);
        }
    }

    /// <summary>Passes on the whole events that are there. Returns how the stream ends, if it does.</summary>
    private static AnswerEnd? Take(Call call, SseBuffer buffer, Progress progress)
    {
        while (buffer.TryTake(out var text))
        {
            var read = SseEvent.Read(text.Span, call.Surface.Dialect, ref progress.Usage);
            if (call.Surface == Surface.Responses && read is { HasData: true, Facts.IsError: false })
            {
                progress.ResponseId ??= ResponseId.OfEvent(SseEvent.Data(text.Span, out _));
            }

            if (read.IsDone)
            {
                progress.Done = text.ToArray();
                Start(call, progress);
                return AnswerEnd.Whole;
            }

            progress.Sequence = read.Facts.Sequence;
            progress.TextBytes += read.Facts.TextBytes;
            progress.ToldTextBytes = read.Facts.HasUsage ? progress.TextBytes : progress.ToldTextBytes;
            if (read.Facts.IsError && !progress.HasBegun)
            {
                return AnswerEnd.Cut;
            }

            if (call.Surface.Dialect == Dialect.Chat && read.IsOnlyUsage && !call.Request!.WantsUsage)
            {
                continue;
            }

            if (!read.HasData && !progress.HasBegun)
            {
                continue; // A comment is no answer: a provider that fails now can still be told from one that answers.
            }

            Start(call, progress);
            Write(call, progress, text.Span);
            if (read.Facts.IsError)
            {
                return AnswerEnd.ProviderError;
            }
        }

        return null;
    }

    /// <summary>The same, into the caller's protocol.</summary>
    private static AnswerEnd? TakeTranslated(Call call, SseBuffer buffer, Progress progress, StreamTranslator translator)
    {
        while (buffer.TryTake(out var text))
        {
            var data = SseEvent.Data(text.Span, out var has);
            if (!has)
            {
                continue;
            }

            progress.Translated.ResetWrittenCount();
            var state = translator.Feed(data, progress.Translated);
            if (state == StreamState.Failed && !progress.HasBegun)
            {
                return AnswerEnd.Cut;
            }

            if (state == StreamState.Done)
            {
                progress.Done = progress.Translated.WrittenSpan.ToArray();
                Start(call, progress);
                return AnswerEnd.Whole;
            }

            if (progress.Translated.WrittenCount > 0)
            {
                Start(call, progress);
                Write(call, progress, progress.Translated.WrittenSpan);
            }

            if (state == StreamState.Failed)
            {
                return AnswerEnd.ProviderError;
            }
        }

        return null;
    }

    private static void Write(Call call, Progress progress, ReadOnlySpan<byte> text)
    {
        if (!progress.CallerLeft)
        {
            call.Write(text);
            progress.Unflushed = true;
        }
    }

    private static void Start(Call call, Progress progress)
    {
        if (progress.HasBegun)
        {
            return;
        }

        progress.HasBegun = true;
        call.ForgetBody();
        if (progress.CallerLeft)
        {
            return;
        }

        var response = call.Http.Response;
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = EventStream;
        call.Copy?.Begin(EventStream);
        response.Headers.CacheControl = "no-cache";
        call.Http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
    }

    private sealed class Progress : PassedOn
    {
        public bool Unflushed { get; set; }

        /// <summary>What the provider told of usage so far.</summary>
        public UsageFields Usage;

        public long Sequence { get; set; }

        public long TextBytes { get; set; }

        /// <summary>Of these, how many had come when usage was last told.</summary>
        public long ToldTextBytes { get; set; }

        public byte[]? Done { get; set; }

        /// <summary>The id of the response, once an event told it.</summary>
        public string? ResponseId { get; set; }

        /// <summary>Ends when it is noted where the response is kept.</summary>
        public Task? Keeping { get; set; }

        /// <summary>When the provider speaks another protocol than the caller.</summary>
        public StreamTranslator? Translator { get; init; }

        /// <summary>What it wrote last.</summary>
        public ArrayBufferWriter<byte> Translated { get; } = new();

        /// <summary>Whether the provider's protocol lets a stream end with its connection, and this one may.</summary>
        public bool TryFinish(Call call)
        {
            Translated.ResetWrittenCount();
            if (Translator?.TryFinish(Translated) != true)
            {
                return false;
            }

            Done = Translated.WrittenSpan.ToArray();
            Start(call, this);
            return true;
        }

        public override CallOutcome Outcome(Call call, RequestOutcome outcome, int status)
        {
            var told = Translator is null ? Usage.ToUsage(call.Surface.Dialect) : Translator.Usage;
            var (text, toldText) = Translator is null ? (TextBytes, ToldTextBytes) : (Translator.TextBytes, Translator.ToldTextBytes);
            if (outcome == RequestOutcome.Cut && told is null && text == 0 && call.Surface.Dialect != Dialect.Audio && !call.Request!.HasAudio)
            {
                return new(outcome, status, default, Counted: true) { IsEmpty = true, ProviderUsage = Translator is null ? Usage.ToText() : Translator.ProviderUsage };
            }

            bool counted;
            var usage = text > toldText && (Done is null || toldText == 0) ? Count.OfPart(call, told, text, out counted) : Count.Of(call, told, text, out counted);
            return new(outcome, status, Count.WithSearches(call, usage, Usage.SearchesSeen), counted) { ProviderUsage = Translator is null ? Usage.ToText() : Translator.ProviderUsage };
        }

        /// <summary>Why the answer is not complete, as the stream's last event; nothing when the provider said so itself.</summary>
        public byte[] Error(Call call, CallRefusal? why)
        {
            if (why is null)
            {
                return [];
            }

            var refusal = why with { Detail = $"{why.Detail ?? CallErrors.Of(why.Failure).Message} The answer is not complete." };
            if (Translator is null)
            {
                return ErrorBodies.Event(call.Surface.Dialect, refusal, Sequence + 1);
            }

            Translated.ResetWrittenCount();
            Translator.WriteError(refusal, Translated);
            return Translated.WrittenSpan.ToArray();
        }
    }
}
