using System.Globalization;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Says which limit refuses a call, what it still has, and whether waiting helps.</summary>
internal static class RefuseCall
{
    // When an open call will end, nobody knows.
    private static readonly TimeSpan UntilOneEnds = TimeSpan.FromSeconds(1);

    // What a caller adds who had named no maximum: `,"max_completion_tokens":1234567890`, and room for spaces and a line break.
    private const long MaximumBytes = 48;

    public static CallRefusal By(LimitAnswer answer, Reservation asked, CallPlan plan, long choices)
    {
        var account = asked.Of(answer.Account);
        var (whose, budget) = answer.Account switch
        {
            LimitedAccount.EndUser => ("this end user", CallFailure.EndUserBudget),
            LimitedAccount.Key => ("this API key", CallFailure.KeyBudget),
            _ => ("your organisation", CallFailure.OrganisationBudget),
        };
        var wait = answer.Wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : answer.Wait;
        return answer.Status switch
        {
            LimitStatus.MonthlyTokens => new CallRefusal(
                CallFailure.MonthlyTokens,
                $"This call may use {asked.Tokens} tokens, and of the {account.TokensPerMonth} that {whose} has a month {answer.Left} are left. They begin anew on the 1st, UTC. {Affordable(TokensAfterInput(answer.Left, plan), choices)}",
                RetryAfter: Periods.UntilNext(Budgets.BudgetPeriod.Month, answer.Now)),
            LimitStatus.Budget => new CallRefusal(
                budget,
                $"This call may cost {Amount(asked.Nanos)} {plan.Price.Currency}, and of the budget of {whose} {Amount(answer.Left)} are left. {Affordable(OutputWithin(answer.Left, plan), choices)}",
                RetryAfter: Periods.UntilNext(account.Budget!.Period, answer.Now)),
            LimitStatus.Concurrency => new CallRefusal(
                CallFailure.Concurrency, $"{Capital(whose)} may have {account.ConcurrentCalls} calls open at once, and has.", RetryAfter: UntilOneEnds),
            LimitStatus.Requests => new CallRefusal(CallFailure.RequestRate, $"Too many requests: {whose} has {account.RequestsPerMinute} a minute.", RetryAfter: wait),
            LimitStatus.Busy => new CallRefusal(
                CallFailure.IdempotencyInProgress, $"The call {answer.Holder} with this idempotency key is still running: ask again for its answer.", RetryAfter: UntilOneEnds),
            LimitStatus.OtherBody => ReplayAnswer.OtherBody(answer.Holder),
            LimitStatus.NotKept => ReplayAnswer.NotKept(answer.Holder),
            _ when asked.Tokens > account.TokensPerMinute => new CallRefusal(
                CallFailure.LargerThanTokenRate,
                $"This call alone may use {asked.Tokens} tokens, and {whose} has {account.TokensPerMinute} a minute. {Affordable(TokensAfterInput(account.TokensPerMinute, plan), choices)}"),
            _ => new CallRefusal(CallFailure.TokenRate, $"This call may use {asked.Tokens} tokens, and of the {account.TokensPerMinute} a minute that {whose} has {answer.Left} are free now.", RetryAfter: wait),
        };
    }

    /// <summary>Images and searches cost the same whatever the output is.</summary>
    private static long? OutputWithin(long left, CallPlan plan)
    {
        if (plan.Upstream.MaxOutputField is null)
        {
            return null; // No caller could ask for less.
        }

        var rest = plan.ReservedNanos - Price.Nanos(plan.Price.UpperBound(plan.InputBound, plan.OutputBound));
        return plan.Price.OutputWithin(left - Math.Max(0, rest), InputWithMaximum(plan), plan.OutputBound);
    }

    private static long? TokensAfterInput(long left, CallPlan plan) => plan.OutputBound == 0 || plan.Upstream.MaxOutputField is null ? null : left - InputWithMaximum(plan);

    /// <summary>Input of the same call when it says its maximum, which makes its body longer; counted tokens stay the same.</summary>
    private static long InputWithMaximum(CallPlan plan) => plan.InputBound + (plan is { Cap: not null, ByBytes: null } ? MaximumBytes : 0);

    /// <summary>The largest output that would be admitted, for the caller to ask for.</summary>
    private static string Affordable(long? output, long choices) => (output / choices) switch
    {
        null => "",
        > 0 and var tokens => $"With `max_tokens` of at most {tokens} it would fit.",
        _ => "Its input alone does not fit.",
    };

    private static string Amount(long nanos) => (nanos / Price.NanosPerUnit).ToString("0.#########", CultureInfo.InvariantCulture);

    private static string Capital(string whose) => char.ToUpperInvariant(whose[0]) + whose[1..];
}
