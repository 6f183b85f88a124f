using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary><c>PUT /api/v1/budgets</c>: the most that the caller's organisation may spend in a period. What was spent in it before counts.</summary>
internal static class PutBudget
{
    public static void Map(IEndpointRouteBuilder budgets) => budgets.MapPut("/", HandleAsync).WithName("PutBudget").WithSummary("Set the organisation's budget");

    private static async Task<Results<Ok<Budget>, ProblemHttpResult>> HandleAsync(Budget budget, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (BudgetRules.Check(budget, "").ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        await ChangeAsync(db, caller, budget, time.GetUtcNow(), cancellationToken);
        return TypedResults.Ok(budget);
    }

    internal static async Task ChangeAsync(ConsumptionDb db, ClaimsPrincipal caller, Budget? budget, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        if (await db.Set<BudgetRow>().FindAsync([organisation], cancellationToken) is not { } row)
        {
            db.Add(row = new BudgetRow { OrganisationId = organisation, ChangedBy = "", ChangedAt = now });
        }

        (row.Amount, row.Currency, row.Period) = (budget?.Amount, budget?.Currency, budget?.Period);
        (row.ChangedBy, row.ChangedAt) = (caller.Subject(), now);
        await db.SaveChangesAsync(cancellationToken);
    }
}
