using System.Buffers;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Passes on an answer that is neither JSON nor events, speech, as it comes. The last byte waits until the call is settled; an answer that breaks off ends with a reset, for
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
    /// <param name="idle">Falls when the provider is silent for the listing's time-out; wound up again by every read.</param>
    /// <param name="timeout">That time-out.</param>
    /// <param name="either">Falls with <paramref name="idle"/>, or when the caller leaves.</param>
    public async Task<CallRefusal?> RunAsync(Call call, HttpResponseMessage answer, CancellationTokenSource idle, TimeSpan timeout, CancellationToken either)
    {
        var type = answer.Content.Headers.ContentType?.MediaType ?? "";
        if (!type.StartsWith("audio/", StringComparison.OrdinalIgnoreCase) && type != "application/octet-stream")
        {
            return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is not audio.");
        }

        var buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            await using var stream = await answer.Content.ReadAsStreamAsync(either);
            var holds = false; // The byte that is held stands first; pieces are read behind it.
            while (true)
            {
                idle.CancelAfter(timeout);
                var read = await stream.ReadAsync(buffer.AsMemory(1), either);
                if (!lease.Holds(call.Admission!.InstanceId))
                {
                    return await EndAsync(call, RequestOutcome.Cut, new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced));
                }

                if (read == 0)
                {
                    break;
                }

                call.FirstByteMs ??= time.GetElapsedTime(call.StartedAt).TotalMilliseconds;
                var from = holds ? 0 : 1;
                if (read > from)
                {
                    Begin(call, answer);
                    call.Copy?.Append(buffer.AsSpan(from, read - from));
                    await SendAsync(call, buffer.AsMemory(from, read - from));
                }

                (buffer[0], holds) = (buffer[read], true);
            }

            if (!holds)
            {
                return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is empty.");
            }

            Begin(call, answer);
            call.Copy?.Append(buffer.AsSpan(0, 1));
            await settle.SettleAsync(call, Outcome(call, RequestOutcome.Completed, StatusCodes.Status200OK));
            await SendAsync(call, buffer.AsMemory(0, 1));
            return null;
        }
        catch (Exception broken) when (broken is OperationCanceledException or IOException or HttpRequestException)
        {
            if (call.Left.IsCancellationRequested)
            {
                answer.Dispose(); // Before anything else: what nobody hears should not be produced.
                await settle.SettleAsync(call, Outcome(call, RequestOutcome.Abandoned, 0));
                return null;
            }

            return await EndAsync(call, RequestOutcome.Cut, call.IsEnded ? RelayStream.Ended()
                : broken is OperationCanceledException
                ? new CallRefusal(CallFailure.ProviderTimeout)
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

    private static void Begin(Call call, HttpResponseMessage answer)
    {
        var response = call.Http.Response;
        if (!response.HasStarted && response.ContentType is null)
        {
            var type = answer.Content.Headers.ContentType!.ToString();
            call.Copy?.Begin(type);
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = type;
            call.Http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        }
    }

    private static async Task SendAsync(Call call, ReadOnlyMemory<byte> piece)
    {
        await call.Http.Response.Body.WriteAsync(piece, call.Left);
        await call.Http.Response.Body.FlushAsync(call.Left);
    }
}
