using System.Buffers;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Passes on an answer of which nothing is read, speech or the events of a <c>rest</c> service, as it comes. The last byte waits until the call is settled; an answer that breaks off ends with a reset, for
/// bytes alone cannot say that they are not complete.
/// <code>
/// provider                    marketplace                       caller
///   piece ──────────────────► its last byte held ─────flush──►  the byte held before, the piece
///   end ────────────────────► settled, on disk ───────flush──►  the last byte
///   breaks, falls silent ───► settled as cut ─────────reset─►
///   ◄──────────── cancelled ─ settled as abandoned ◄─── leaves
/// </code>
/// </summary>
internal sealed class RelayBinary(SettleCall settle, InstanceLease lease, TimeProvider time)
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

        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(stop);
            call.Copy?.Begin(answer.Content.Headers.ContentType!.ToString());
            clock.AwaitFirstByte();
            var holds = false; // The byte that is held stands first; pieces are read behind it.
            while (true)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(1), stop);
                if (!lease.Holds(call.Admission!.InstanceId))
                {
                    return await EndAsync(call, RequestOutcome.Cut, new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced));
                }

                if (read == 0)
                {
                    break;
                }

                clock.AwaitChunk();
                call.FirstByteMs ??= time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
                var from = holds ? 0 : 1;
                if (read > from)
                {
                    call.Copy?.Append(buffer.AsSpan(from, read - from));
                    await SendAsync(call, answer, buffer.AsMemory(from, read - from));
                }

                (buffer[0], holds) = (buffer[read], true);
            }

            if (!holds)
            {
                return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is empty.");
            }

            call.Route!.Health.Succeeded();
            call.Copy?.Append(buffer.AsSpan(0, 1));
            var left = call.Left.IsCancellationRequested;
            await settle.SettleAsync(call, Outcome(call, left ? RequestOutcome.Abandoned : RequestOutcome.Completed, left ? 0 : StatusCodes.Status200OK));
            await SendAsync(call, answer, buffer.AsMemory(0, 1));
            return null;
        }
        catch (Exception broken) when (broken is OperationCanceledException or IOException or HttpRequestException)
        {
            if (call.Left.IsCancellationRequested && !call.IsDrained)
            {
                answer.Dispose(); // Before anything else: what nobody hears should not be produced.
                await settle.SettleAsync(call, Outcome(call, RequestOutcome.Abandoned, 0));
                return null;
            }

            if (call.IsEnded)
            {
                return await EndAsync(call, RequestOutcome.Cut, RelayStream.Ended());
            }

            call.BrokeOff(clock.RanOut ? clock.Error : Call.Cut);
            if (call.Http.Response.HasStarted)
            {
                call.Route!.Health.Failed();
            }

            return await EndAsync(call, RequestOutcome.Cut, clock.RanOut
                ? new CallRefusal(clock.Failure)
                : new CallRefusal(CallFailure.ProviderFailed, "The provider broke off its answer."));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<CallRefusal?> EndAsync(Call call, RequestOutcome outcome, CallRefusal otherwise)
    {
        if (!call.Http.Response.HasStarted)
        {
            return otherwise;
        }

        await settle.SettleAsync(call, Outcome(call, outcome, StatusCodes.Status200OK));
        call.Http.Abort();
        return null;
    }

    private static CallOutcome Outcome(Call call, RequestOutcome outcome, int status)
    {
        var usage = Count.Of(call, null, 0, out var counted);
        return new CallOutcome(outcome, status, usage, counted);
    }

    private static async Task SendAsync(Call call, HttpResponseMessage answer, ReadOnlyMemory<byte> piece)
    {
        var response = call.Http.Response;
        if (call.Left.IsCancellationRequested && call.IsDrained)
        {
            return;
        }

        if (!response.HasStarted)
        {
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = answer.Content.Headers.ContentType?.ToString();
            call.Http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        }

        try
        {
            await response.Body.WriteAsync(piece, call.Left);
            await response.Body.FlushAsync(call.Left);
        }
        catch (OperationCanceledException) when (call.IsDrained && call.Left.IsCancellationRequested)
        {
            // Nobody hears it; it is read to its end all the same.
        }
    }
}
