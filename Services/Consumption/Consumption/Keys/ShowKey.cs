using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Pricing;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>GET /v1/key</c>, with the key itself: what it may do, and what is left of it now, reservations of running calls included. Costs nothing, counts as no request.</summary>
internal static class ShowKey
{
    /// <param name="Limit">The most at once; regained evenly within a minute unless the tier says otherwise.</param>
    /// <param name="Remaining">What would be admitted now.</param>
    /// <param name="ResetMs">Milliseconds until all of it is there again.</param>
    internal sealed record Rate(long Limit, long Remaining, long ResetMs);

    /// <param name="Amount">The budget.</param>
    /// <param name="Currency">Its currency.</param>
    /// <param name="Period"><c>day</c>, <c>month</c> or <c>total</c>.</param>
    /// <param name="Spent">Spent and reserved in it.</param>
    /// <param name="Remaining">Left.</param>
    /// <param name="ResetsAt">When it begins anew; null: never.</param>
    internal sealed record BudgetLeft(decimal Amount, string Currency, BudgetPeriod Period, decimal Spent, decimal Remaining, DateTimeOffset? ResetsAt);

    /// <param name="Limit">Tokens of a month.</param>
    /// <param name="Remaining">Left.</param>
    /// <param name="ResetsAt">When they begin anew.</param>
    internal sealed record Month(long Limit, long Remaining, DateTimeOffset ResetsAt);

    /// <param name="RequestsPerMinute">Requests; null: no limit.</param>
    /// <param name="TokensPerMinute">Tokens; null: no limit.</param>
    /// <param name="TokensPerMonth">Tokens of the month; null: no limit.</param>
    /// <param name="ConcurrentCalls">Calls open at once; null: no limit.</param>
    /// <param name="OpenCalls">Calls open now.</param>
    /// <param name="Budget">The budget, or null.</param>
    internal sealed record Standing(Rate? RequestsPerMinute, Rate? TokensPerMinute, Month? TokensPerMonth, long? ConcurrentCalls, long OpenCalls, BudgetLeft? Budget);

    /// <param name="Id">UUID v7.</param>
    /// <param name="Object">Always <c>key</c>.</param>
    /// <param name="Prefix">How it begins.</param>
    /// <param name="Name">Name for people.</param>
    /// <param name="ExpiresAt">When it ends.</param>
    /// <param name="Scopes">What it may call; empty lists: everything that its organisation may.</param>
    /// <param name="Tier">The organisation's tier.</param>
    /// <param name="Key">The key's own limits.</param>
    /// <param name="Organisation">The organisation's, which all its keys share.</param>
    internal sealed record Response(
        Guid Id, string Object, string Prefix, string Name, DateTimeOffset? ExpiresAt, KeyScopes Scopes, string Tier, Standing Key, Standing Organisation);

    public static async Task HandleAsync(HttpContext http, ReadStanding standing, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (response, refusal) = await standing.ReadAsync(http.Request);
        if (refusal is not null)
        {
            await CallAnswers.RefuseAsync(http, refusal);
            return;
        }

        http.Response.Headers.CacheControl = "no-store";
        await CallAnswers.WriteJsonAsync(http, response!);
    }
}

/// <summary>Reads what a key may do, and what is left of it.</summary>
internal sealed class ReadStanding(KeyCheck check, KeyRing keys, ReadAccounts accounts)
{
    /// <param name="request">With the key.</param>
    public async Task<(ShowKey.Response? Response, CallRefusal? Refusal)> ReadAsync(HttpRequest request)
    {
        var (key, organisation, refusal) = check.Check(request);
        if (refusal is not null)
        {
            return (null, refusal);
        }

        try
        {
            var whole = Account.OfOrganisation(TierLimits.Of(organisation!.Tier), keys.BudgetOf(organisation.Id));
            var standing = await accounts.ReadAsync(organisation.Id, key!.Account, whole);
            return (new ShowKey.Response(
                key.Id, "key", ApiKey.Prefix + key.Identifier, key.Name, key.ExpiresAt, key.Scopes, organisation.TierName, Of(key.Account, standing[0]), Of(whole, standing[1])), null);
        }
        catch (LimitsUnavailableException)
        {
            return (null, new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1)));
        }
    }

    private static ShowKey.Standing Of(Account account, AccountStanding standing) => new(
        Of(standing.Requests),
        Of(standing.Tokens),
        account.TokensPerMonth == 0 ? null : new ShowKey.Month(
            account.TokensPerMonth, Math.Max(0, account.TokensPerMonth - standing.TokensOfMonth), standing.Now + Periods.UntilNext(BudgetPeriod.Month, standing.Now)!.Value),
        account.ConcurrentCalls == 0 ? null : account.ConcurrentCalls,
        standing.Open,
        account.Budget is not { } budget ? null : new ShowKey.BudgetLeft(
            budget.Amount, budget.Currency, budget.Period, standing.Spent / Price.NanosPerUnit, Math.Max(0, budget.Amount - (standing.Spent / Price.NanosPerUnit)),
            standing.Now + Periods.UntilNext(budget.Period, standing.Now)));

    private static ShowKey.Rate? Of(RateState rate) => rate.Limit == 0 ? null : new ShowKey.Rate(rate.Limit, rate.Remaining, (long)Math.Ceiling(rate.FullIn.TotalMilliseconds));
}
