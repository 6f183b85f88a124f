using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary><c>GET</c>, <c>PUT</c>, <c>DELETE /api/v1/budgets/each-end-user</c>: what each end user of the organisation may spend who has no budget of its own, unless the calling key says otherwise.</summary>
internal static class BudgetEachEndUser
{
    public static void Map(IEndpointRouteBuilder budgets)
    {
        budgets.MapGet("/each-end-user", GetAsync).WithName("GetEachEndUserBudget").WithSummary("Read what each end user may spend");
        budgets.MapPut("/each-end-user", PutAsync).WithName("PutEachEndUserBudget").WithSummary("Set what each end user may spend");
        budgets.MapDelete("/each-end-user", DeleteAsync).WithName("DeleteEachEndUserBudget").WithSummary("Take the budget of each end user away; those set for one stay");
    }

    private static async Task<Results<Ok<Budget>, ProblemHttpResult>> GetAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken) =>
        await db.Set<EndUserBudgetRow>().FindAsync([caller.OrganisationId(), EndUserBudgetRow.Each], cancellationToken) is { Budget: { } budget } ? TypedResults.Ok(budget) : Problems.NotFound("A budget of each end user");

    private static async Task<Results<Ok<Budget>, ProblemHttpResult>> PutAsync(Budget budget, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (BudgetRules.Check(budget, "").ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        await EndUserBudgets.ChangeAsync(db, caller.OrganisationId(), EndUserBudgetRow.Each, budget, caller.Subject(), time.GetUtcNow(), cancellationToken);
        return TypedResults.Ok(budget);
    }

    private static async Task<NoContent> DeleteAsync(ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        await EndUserBudgets.ChangeAsync(db, caller.OrganisationId(), EndUserBudgetRow.Each, null, caller.Subject(), time.GetUtcNow(), cancellationToken);
        return TypedResults.NoContent();
    }
}
