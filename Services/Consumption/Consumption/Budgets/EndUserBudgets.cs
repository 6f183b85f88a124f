using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Attribution;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>Changes of end users' budgets. They hold in every instance within a second; what was spent in the period before counts.</summary>
internal static class EndUserBudgets
{
    public static IEnumerable<Issue> Check(string? endUser)
    {
        if (EndUserId.Problem(endUser ?? "") is { } problem)
        {
            yield return new Issue("invalid_end_user", "", problem);
        }
    }

    /// <summary>Sets a budget, or takes it back (null).</summary>
    public static Task ChangeAsync(ConsumptionDb db, Guid organisation, string endUser, Budget? budget, string subject, DateTimeOffset now, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO end_user_budgets (organisation_id, end_user, amount, currency, period, changed_by, changed_at)
             VALUES ({organisation}, {endUser}, {budget?.Amount}, {budget?.Currency}, {budget?.Period.ToString()}, {subject}, {now})
             ON CONFLICT (organisation_id, end_user) DO UPDATE
             SET amount = excluded.amount, currency = excluded.currency, period = excluded.period, changed_by = excluded.changed_by, changed_at = excluded.changed_at
             """,
            cancellationToken);
}
