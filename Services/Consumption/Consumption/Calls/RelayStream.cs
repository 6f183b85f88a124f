using System.Buffers;
using System.Text.Json;
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
///   ◄─────────────── cancelled ── key revoked with its calls: settled as cut ─►  data: {"error":…}; a reset when the caller does not read
///   event … its end ─────────────► settled as abandoned ◄────── leaves  (a listing that is drained: read on, nothing passed on)
///   ◄─────────────── cancelled ── fenced: settled as cut ─reset─►     (this instance was not heard of for too long: <see cref="InstanceLease"/>)
/// </code>
/// Charged by the provider's last usage, else by a lower bound of what was passed on. A stream that breaks before anything was passed on is a failed call.
/// </summary>
internal sealed class RelayStream(SettleCall settle, KeepResponses responses, InstanceLease lease, IOptions<CallOptions> options, TimeProvider time)
{
    private const string EventStream = "text/event-stream; charset=utf-8";

    private enum End
    {
        Done,
        Cut,
        Silent,
        ProviderError,
        Left,
        Ended,
        Fenced,
    }

    private enum Flushed
    {
        Done,
        CallerLeft,
        Interrupted,
    }

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
        if (end is End.Cut or End.Silent)
        {
            call.BrokeOff(end == End.Silent ? clock.Error : Call.Cut);
        }

        if (end == End.ProviderError)
        {
            call.BrokeOff(Attempt.ErrorEvent);
        }

        if (end == End.Left)
        {
            answer.Dispose(); // Before anything else: what nobody reads should not be produced.
            await settle.SettleAsync(call, progress.Outcome(call, RequestOutcome.Abandoned, 0));
            return null;
        }

        if (end == End.Ended && !progress.Started)
        {
            return Ended();
        }

        if (end == End.Ended)
        {
            answer.Dispose();
        }

        if (end == End.Fenced && progress.Started)
        {
            answer.Dispose();
            await settle.SettleAsync(call, progress.Outcome(call, progress.CallerLeft ? RequestOutcome.Abandoned : RequestOutcome.Cut, progress.CallerLeft ? 0 : StatusCodes.Status200OK));
            call.Http.Abort();
            return null;
        }

        if (end == End.Fenced)
        {
            return new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced);
        }

        if (end != End.Done && !progress.Started)
        {
            return new CallRefusal(end == End.Silent ? clock.Failure : CallFailure.ProviderFailed, end == End.Silent ? null : "The provider broke off before it produced anything.");
        }

        switch (end)
        {
            case End.Done:
                call.Route!.Health.Succeeded();
                break;
            case End.Ended:
                call.Route!.Health.Unknown(); // It was we who hung up.
                break;
            default:
                call.Route!.Health.Failed();
                break;
        }

        if (progress.CallerLeft || (call.IsDrained && call.Left.IsCancellationRequested))
        {
            await settle.SettleAsync(call, progress.Outcome(call, RequestOutcome.Abandoned, 0));
            return null;
        }

        call.Copy?.Append(progress.Done);
        await settle.SettleAsync(call, progress.Outcome(call, end == End.Done ? RequestOutcome.Completed : RequestOutcome.Cut, StatusCodes.Status200OK));
        await (progress.Keeping ?? Task.CompletedTask);
        var last = end switch
        {
            End.Done => progress.Done!,
            End.Silent => progress.Error(call, new CallRefusal(clock.Failure, $"{CallErrors.Of(clock.Failure).Message} The answer is not complete.")),
            End.Ended => progress.Error(call, Ended()),
            End.Cut => progress.Error(call, new CallRefusal(CallFailure.ProviderFailed, "The provider broke off the stream; the answer is not complete.")),
            _ => [],
        };
        await call.Http.Response.BodyWriter.WriteAsync(last, call.Left);
        return null;
    }

    /// <summary>Why a call whose key was revoked with it does not go on.</summary>
    public static CallRefusal Ended() => new(CallFailure.RevokedKey, "The API key was revoked, and its running calls with it.");

    private async Task<End> PassOnAsync(Call call, HttpResponseMessage answer, SseBuffer buffer, Progress progress, CallClock clock, CancellationToken stop)
    {
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(stop);
            clock.AwaitFirstByte();
            while (true)
            {
                var read = await stream.ReadAsync(buffer.Room(), stop);
                if (read == 0)
                {
                    return progress.TryFinish(call) ? End.Done : End.Cut;
                }

                clock.AwaitChunk();
                call.FirstByteMs ??= time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
                buffer.Filled(read);
                if (!lease.Holds(call.Admission!.InstanceId))
                {
                    return End.Fenced;
                }

                var end = progress.Translator is { } translator ? TakeTranslated(call, buffer, progress, translator) : Take(call, buffer, progress);
                if (progress.ResponseId is { } id)
                {
                    progress.Keeping ??= responses.KeepAsync(call, id);
                }

                var flushed = progress.Unflushed ? await FlushAsync(call) : Flushed.Done;
                if (flushed == Flushed.CallerLeft && !call.GoesOn)
                {
                    if (!call.IsDrained)
                    {
                        return End.Left;
                    }

                    progress.CallerLeft = true;
                }

                if (flushed == Flushed.Interrupted && call.IsEnded)
                {
                    return End.Fenced; // The caller does not read, so would not read why either.
                }

                progress.Unflushed = false;
                if (end is { } ended)
                {
                    return ended;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return clock.RanOut ? End.Silent : call.IsEnded && (call.IsDrained || !call.Left.IsCancellationRequested) ? End.Ended : End.Left;
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException or JsonException)
        {
            return call.Left.IsCancellationRequested && !call.IsDrained ? End.Left : End.Cut;
        }
    }

    /// <summary>Sends what is written.</summary>
    private static async Task<Flushed> FlushAsync(Call call)
    {
        try
        {
            var flushed = await call.Http.Response.BodyWriter.FlushAsync(call.Left);
            return flushed.IsCanceled ? Flushed.Interrupted : flushed.IsCompleted ? Flushed.CallerLeft : Flushed.Done;
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException && call.Left.IsCancellationRequested)
        {
            return Flushed.CallerLeft;
        }
    }

    /// <summary>Passes on the whole events that are there. Returns how the stream ends, if it does.</summary>
    private static End? Take(Call call, SseBuffer buffer, Progress progress)
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
                return End.Done;
            }

            progress.Sequence = read.Facts.Sequence;
            progress.TextBytes += read.Facts.TextBytes;
            if (read.Facts.IsError && !progress.Started)
            {
                return End.Cut;
            }

            if (call.Surface.Dialect == Dialect.Chat && read.IsOnlyUsage && !call.Request!.WantsUsage)
            {
                continue;
            }

            if (!read.HasData && !progress.Started)
            {
                continue; // A comment is no answer: a provider that fails now can still be told from one that answers.
            }

            Start(call, progress);
            Write(call, progress, text.Span);
            if (read.Facts.IsError)
            {
                return End.ProviderError;
            }
        }

        return null;
    }

    /// <summary>The same, into the caller's protocol.</summary>
    private static End? TakeTranslated(Call call, SseBuffer buffer, Progress progress, StreamTranslator translator)
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
            if (state == StreamState.Failed && !progress.Started)
            {
                return End.Cut;
            }

            if (state == StreamState.Done)
            {
                progress.Done = progress.Translated.WrittenSpan.ToArray();
                Start(call, progress);
                return End.Done;
            }

            if (progress.Translated.WrittenCount > 0)
            {
                Start(call, progress);
                Write(call, progress, progress.Translated.WrittenSpan);
            }

            if (state == StreamState.Failed)
            {
                return End.ProviderError;
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
        if (progress.Started)
        {
            return;
        }

        progress.Started = true;
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

    private sealed class Progress
    {
        public bool Started { get; set; }

        public bool Unflushed { get; set; }

        /// <summary>Nobody is there any more, and the answer is drained.</summary>
        public bool CallerLeft { get; set; }

        /// <summary>What the provider told of usage so far.</summary>
        public UsageFields Usage;

        public long Sequence { get; set; }

        public long TextBytes { get; set; }

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

        public CallOutcome Outcome(Call call, RequestOutcome outcome, int status)
        {
            var told = Translator is null ? Usage.ToUsage(call.Surface.Dialect) : Translator.Usage;
            return new(outcome, status, Count.Of(call, told, Translator?.TextBytes ?? TextBytes, out var counted), counted) { ProviderUsage = Usage.ToText() };
        }

        /// <summary>An error as the stream's last event.</summary>
        public byte[] Error(Call call, CallRefusal refusal)
        {
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
