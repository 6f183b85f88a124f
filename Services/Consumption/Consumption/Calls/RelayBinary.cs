using System.Buffers;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Passes on an answer that is read for nothing, speech or what a <c>rest</c> service sends, as it comes. The last byte waits until the call is settled; an answer that does not come to its end ends with a
/// reset, for bytes alone cannot say that they are not complete. Otherwise it ends as a stream does: <see cref="AnswerEnd"/>.
/// <code>
/// provider                    marketplace                       caller
///   piece ──────────────────► its last byte held ─────flush──►  the byte held before, the piece
///   end ────────────────────► settled, on disk ───────flush──►  the last byte
///   breaks, falls silent ───► settled as cut ─────────reset─►
///   ◄──────────── cancelled ─ ended by us: cut ───────reset─►
///   ◄──────────── cancelled ─ settled as abandoned ◄─── leaves
/// </code>
/// </summary>
internal sealed class RelayBinary(EndAnswer endings, InstanceLease lease, TimeProvider time)
{
    private const int PieceBytes = 16 * 1024;

    /// <summary>Passes the answer on; or, when nothing of it could be, the reason.</summary>
    /// <param name="call">The call.</param>
    /// <param name="answer">The provider's answer.</param>
    /// <param name="clock">Wound up by every read.</param>
    /// <param name="stop">Falls with it; or when the caller leaves, unless the answer is drained.</param>
    public async Task<CallRefusal?> RunAsync(Call call, HttpResponseMessage answer, CallClock clock, CancellationToken stop)
    {
        var type = answer.Content.Headers.ContentType?.MediaType ?? "";
        if (call.Surface == Surface.AudioSpeech && !type.StartsWith("audio/", StringComparison.OrdinalIgnoreCase) && type != "application/octet-stream")
        {
            return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is not audio.");
        }

        var (pieces, buffer) = (new Pieces(), ArrayPool<byte>.Shared.Rent(PieceBytes));
        try
        {
            call.Copy?.Begin(answer.Content.Headers.ContentType!.ToString());
            var end = await PassOnAsync(call, answer, pieces, buffer, clock, stop);
            if (end.Kind == AnswerEndKind.Whole)
            {
                call.Copy?.Append(buffer.AsSpan(0, 1));
            }

            var (refusal, isHeard) = await endings.SettleAsync(call, answer, end, pieces, clock);
            if (isHeard && end.Kind == AnswerEndKind.Whole)
            {
                Begin(call, answer);
                await call.Http.Response.BodyWriter.WriteAsync(buffer.AsMemory(0, 1), call.Left);
            }
            else if (isHeard)
            {
                call.Http.Abort();
            }

            return refusal;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Passes on all but the last byte, which stands first in the buffer then.</summary>
    private async Task<AnswerEnd> PassOnAsync(Call call, HttpResponseMessage answer, Pieces pieces, byte[] buffer, CallClock clock, CancellationToken stop)
    {
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(stop);
            clock.AwaitFirstByte();
            var holds = false; // The byte that is held stands first; pieces are read behind it.
            while (true)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(1), stop);
                if (!lease.Holds(call.Admission!.InstanceId))
                {
                    return AnswerEnd.Fenced;
                }

                if (read == 0)
                {
                    return holds ? AnswerEnd.Whole : new(AnswerEndKind.Cut, new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is empty."));
                }

                clock.AwaitChunk();
                call.FirstByteMs ??= time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
                var from = holds ? 0 : 1;
                if (read > from && await SendAsync(call, answer, pieces, buffer.AsMemory(from, read - from), clock) is { } byCaller)
                {
                    return byCaller;
                }

                (buffer[0], holds) = (buffer[read], true);
            }
        }
        catch (Exception broken) when (AnswerEnd.IsExpected(broken))
        {
            return AnswerEnd.Of(broken, call, clock);
        }
    }

    private static async Task<AnswerEnd?> SendAsync(Call call, HttpResponseMessage answer, Pieces pieces, ReadOnlyMemory<byte> piece, CallClock clock)
    {
        pieces.HasBegun = true;
        if (pieces.CallerLeft || (call.IsDrained && call.Left.IsCancellationRequested))
        {
            return null;
        }

        Begin(call, answer);
        call.Write(piece.Span);
        return await pieces.FlushAsync(call, clock);
    }

    private static void Begin(Call call, HttpResponseMessage answer)
    {
        var response = call.Http.Response;
        if (!response.HasStarted)
        {
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = answer.Content.Headers.ContentType?.ToString();
            call.Http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        }
    }

    private sealed class Pieces : PassedOn
    {
        public override CallOutcome Outcome(Call call, RequestOutcome outcome, int status) => new(outcome, status, Count.Of(call, null, 0, out var counted), counted);
    }
}
