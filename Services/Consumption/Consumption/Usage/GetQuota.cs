using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Usage;

/// <summary><c>GET /api/v1/quota</c>: what the tier and the budgets admit, and what is left. Counted from the records, reservations of running calls included.</summary>
internal static class GetQuota
{
    /// <param name="Limit">A month's tokens.</param>
    /// <param name="Used">Used and reserved.</param>
    /// <param name="Remaining">Left.</param>
    /// <param name="ResetsAt">When they begin anew.</param>
    internal sealed record MonthlyTokens(long Limit, long Used, long Remaining, DateTimeOffset ResetsAt);

    /// <param name="Amount">The budget.</param>
    /// <param name="Currency">Its currency.</param>
    /// <param name="Period">Its period.</param>
    /// <param name="Spent">Spent and reserved in it.</param>
    /// <param name="Remaining">Left.</param>
    internal sealed record BudgetState(decimal Amount, string Currency, BudgetPeriod Period, decimal Spent, decimal Remaining);

    /// <param name="Tier">The organisation's tier.</param>
    /// <param name="RequestsPerSecond">Rate at which calls are admitted.</param>
    /// <param name="Burst">Calls admitted at once.</param>
    /// <param name="TokensPerMinute">Tokens a minute.</param>
    /// <param name="Tokens">Tokens a month.</param>
    /// <param name="OrganisationBudget">The organisation's budget, or null.</param>
    /// <param name="KeyBudget">The calling key's budget, or null.</param>
    internal sealed record Response(
        OrganisationTier Tier, int RequestsPerSecond, int Burst, long TokensPerMinute, MonthlyTokens Tokens, BudgetState? OrganisationBudget, BudgetState? KeyBudget);

    public static void Map(IEndpointRouteBuilder usage) => usage.MapGet("/quota", HandleAsync).WithName("GetQuota").WithSummary("Limits, budgets and what is left of them; with a token or an API key");

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> HandleAsync(HttpContext http, ConsumptionDb db, ApiKeyHasher hasher, TimeProvider time, CancellationToken cancellationToken)
    {
        var (scope, refusal) = await UsageCaller.FindAsync(http, db, hasher, time);
        if (refusal is not null)
        {
            return refusal;
        }

        if (await db.Set<OrganisationRow>().FindAsync([scope.Organisation], cancellationToken) is not { } organisation)
        {
            return Problems.NotFound("The organisation"); // Its event is on the way.
        }

        var now = time.GetUtcNow();
        var day = Periods.Day(now);
        var state = JsonSerializer.Deserialize<OrganisationChanged>(organisation.State, Json.Options)!;
        var tier = TierLimits.Of(state.Tier);
        var used = await TokensAsync(db, scope.Organisation, day / 100, cancellationToken);
        var budget = (await db.Set<BudgetRow>().FindAsync([scope.Organisation], cancellationToken))?.Budget;
        var keyBudget = scope.Key is { } key ? (await db.Set<KeyRow>().FindAsync([key], cancellationToken))?.Budget : null;
        return TypedResults.Ok(new Response(
            state.Tier,
            tier.RequestsPerSecond,
            tier.Burst,
            tier.TokensPerMinute,
            new MonthlyTokens(tier.TokensPerMonth, used, Math.Max(0, tier.TokensPerMonth - used), now + Periods.UntilNext(BudgetPeriod.Month, now)!.Value),
            await StateAsync(db, budget, scope.Organisation, null, null, day, cancellationToken),
            await StateAsync(db, keyBudget, scope.Organisation, scope.Key, null, day, cancellationToken)));
    }

    private static async Task<long> TokensAsync(ConsumptionDb db, Guid organisation, int month, CancellationToken cancellationToken) =>
        await db.Set<UsageRecord>().Where(r => r.OrganisationId == organisation && r.Day / 100 == month).SumAsync(r => r.InputTokens + r.OutputTokens, cancellationToken)
        + await db.Set<AdmissionRow>().Where(a => a.OrganisationId == organisation && a.Day / 100 == month).SumAsync(a => a.ReservedTokens, cancellationToken);

    /// <summary>How a budget stands, of an organisation or one of its keys or end users.</summary>
    internal static async Task<BudgetState?> StateAsync(ConsumptionDb db, Budget? budget, Guid organisation, Guid? key, string? endUser, int day, CancellationToken cancellationToken)
    {
        if (budget is null)
        {
            return null;
        }

        var (from, to) = budget.Period switch
        {
            BudgetPeriod.Day => (day, day),
            BudgetPeriod.Month => (day / 100 * 100, (day / 100 * 100) + 99),
            _ => (0, int.MaxValue),
        };
        var spent = await db.Set<UsageRecord>()
            .Where(r => r.OrganisationId == organisation && (key == null || r.KeyId == key) && (endUser == null || r.EndUser == endUser) && r.Day >= from && r.Day <= to).SumAsync(r => r.Cost, cancellationToken);
        var reserved = await db.Set<AdmissionRow>()
            .Where(a => a.OrganisationId == organisation && (key == null || a.KeyId == key) && (endUser == null || a.EndUser == endUser) && a.Day >= from && a.Day <= to).SumAsync(a => a.ReservedNanos, cancellationToken);
        var all = spent + (reserved / Price.NanosPerUnit);
        return new BudgetState(budget.Amount, budget.Currency, budget.Period, all, Math.Max(0, budget.Amount - all));
    }
}
