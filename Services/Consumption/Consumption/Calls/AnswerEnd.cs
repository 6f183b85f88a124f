using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// How an answer ends that is passed on piece by piece, events and bytes alike:
/// <code>
///                        nothing was passed on    the address    the record    the caller
/// Whole                                           succeeded      completed     gets the last piece, held back until the record is on disk
/// ProviderError                                   failed         cut           has got the provider's own error as the last piece
/// Cut, Silent            refused                  failed         cut           is told why
/// Ended, by us           refused                                 cut           is told why; a reset when they do not read
/// Fenced                 refused                                 cut           a reset: no further byte may leave (<see cref="InstanceLease"/>)
/// Left                                                           abandoned     is gone
/// </code>
/// However it ends: when its caller is gone by then, and it was read on for nobody, it is abandoned.
/// </summary>
/// <param name="Kind">Which.</param>
/// <param name="Why">What a caller is told who does not get all of it; null when nothing is to be told.</param>
internal readonly record struct AnswerEnd(AnswerEndKind Kind, CallRefusal? Why = null)
{
    private static readonly CallRefusal BrokeOff = new(CallFailure.ProviderFailed, "The provider broke off its answer.");

    public static AnswerEnd Whole { get; } = new(AnswerEndKind.Whole);

    public static AnswerEnd ProviderError { get; } = new(AnswerEndKind.ProviderError);

    public static AnswerEnd Left { get; } = new(AnswerEndKind.Left);

    public static AnswerEnd Cut { get; } = new(AnswerEndKind.Cut, BrokeOff);

    public static AnswerEnd Fenced { get; } = new(AnswerEndKind.Fenced, new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced));

    /// <summary>Whether it is an answer's, or a caller's, that is no error of ours.</summary>
    public static bool IsExpected(Exception broken) => broken is OperationCanceledException or IOException or HttpRequestException or JsonException;

    /// <summary>What an expected exception ended it with.</summary>
    public static AnswerEnd Of(Exception broken, Call call, CallClock clock)
    {
        var isLeft = call.Left.IsCancellationRequested && !call.IsDrained;
        return broken is OperationCanceledException && clock.RanOut ? new(AnswerEndKind.Silent, new CallRefusal(clock.Failure))
            : call.EndedBy is { } why ? new(AnswerEndKind.Ended, why)
            : isLeft || broken is OperationCanceledException ? Left
            : Cut;
    }
}

/// <summary>See <see cref="AnswerEnd"/>.</summary>
internal enum AnswerEndKind
{
    Whole,
    ProviderError,
    Cut,
    Silent,
    Ended,
    Fenced,
    Left,
}

/// <summary>What of an answer was passed on so far.</summary>
internal abstract class PassedOn
{
    /// <summary>Whether anything was, or would have been had the caller stayed.</summary>
    public bool HasBegun { get; set; }

    /// <summary>Nobody is there any more, and the answer is drained.</summary>
    public bool CallerLeft { get; set; }

    /// <summary>The outcome with what is known of usage by now.</summary>
    public abstract CallOutcome Outcome(Call call, RequestOutcome outcome, int status);

    /// <summary>Sends what is written. Returns how the answer ends, when the caller ends it.</summary>
    public ValueTask<AnswerEnd?> FlushAsync(Call call, CallClock clock)
    {
        var flushing = FlushAsync(call);
        return flushing.IsCompletedSuccessfully ? new(flushing.Result) : AwaitCallerAsync(flushing, clock);
    }

    private static async ValueTask<AnswerEnd?> AwaitCallerAsync(Task<AnswerEnd?> flushing, CallClock clock)
    {
        clock.AwaitCaller();
        var end = await flushing;
        clock.AwaitChunk();
        return end;
    }

    private async Task<AnswerEnd?> FlushAsync(Call call)
    {
        if (call.EndedBy is { } already)
        {
            return new(AnswerEndKind.Ended, already); // A flush is cancelled once only, and it may have been one before this.
        }

        bool left;
        try
        {
            var flushed = await call.Http.Response.BodyWriter.FlushAsync(call.Left);
            if (flushed.IsCanceled && call.EndedBy is { } why)
            {
                return new(AnswerEndKind.Ended, why);
            }

            left = flushed.IsCompleted;
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException && call.Left.IsCancellationRequested)
        {
            left = true;
        }

        if (left && call.EndedBy is { } ended)
        {
            return new(AnswerEndKind.Ended, ended); // Who did not read was hung up on.
        }

        if (!left || call.GoesOn)
        {
            return null;
        }

        CallerLeft = true;
        return call.IsDrained ? null : AnswerEnd.Left;
    }
}

/// <summary>Settles a call whose answer was passed on piece by piece: the right-hand columns of <see cref="AnswerEnd"/>.</summary>
internal sealed class EndAnswer(SettleCall settle, InstanceLease lease)
{
    /// <returns>The reason when nothing was passed on: the call is to be settled as refused. Else whether the caller is still to get the end that is due.</returns>
    public async Task<(CallRefusal? Refusal, bool IsHeard)> SettleAsync(Call call, HttpResponseMessage answer, AnswerEnd end, PassedOn passed, CallClock clock)
    {
        if (end.Kind != AnswerEndKind.Left && !lease.Holds(call.Admission!.InstanceId))
        {
            end = AnswerEnd.Fenced; // Seen here once more: it may not have been a piece of the answer that came last.
        }

        if (end.Kind is AnswerEndKind.Cut or AnswerEndKind.Silent or AnswerEndKind.ProviderError)
        {
            call.BrokeOff(end.Kind switch { AnswerEndKind.Silent => clock.Error, AnswerEndKind.ProviderError => Attempt.ErrorEvent, _ => Call.Cut });
        }

        if (!passed.HasBegun && end.Why is { } why)
        {
            return (why, false);
        }

        if (end.Kind is AnswerEndKind.Ended or AnswerEndKind.Fenced or AnswerEndKind.Left)
        {
            answer.Dispose(); // Before anything else: what nobody gets should not be produced.
        }

        Note(call, end.Kind);
        var isGone = end.Kind == AnswerEndKind.Left || passed.CallerLeft || (end.Kind != AnswerEndKind.Ended && call.IsDrained && call.Left.IsCancellationRequested);
        var outcome = isGone ? RequestOutcome.Abandoned : end.Kind == AnswerEndKind.Whole ? RequestOutcome.Completed : RequestOutcome.Cut;
        await settle.SettleAsync(call, passed.Outcome(call, outcome, isGone ? 0 : StatusCodes.Status200OK));
        if (end.Kind == AnswerEndKind.Fenced)
        {
            call.Http.Abort();
        }

        return (null, !isGone && end.Kind != AnswerEndKind.Fenced);
    }

    private static void Note(Call call, AnswerEndKind kind)
    {
        switch (kind)
        {
            case AnswerEndKind.Whole:
                call.Route!.Health.Succeeded();
                break;
            case AnswerEndKind.ProviderError or AnswerEndKind.Cut or AnswerEndKind.Silent:
                call.Route!.Health.Failed();
                break;
            default:
                break; // It was we, or the caller, who hung up: that says nothing of the provider.
        }
    }
}
