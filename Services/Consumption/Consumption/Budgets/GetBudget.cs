using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary><c>GET /api/v1/budgets</c>: the budget of the caller's organisation.</summary>
internal static class GetBudget
{
    public static void Map(IEndpointRouteBuilder budgets) => budgets.MapGet("/", HandleAsync).WithName("GetBudget").WithSummary("Read the organisation's budget");

    private static async Task<Results<Ok<Budget>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken) =>
        await db.Set<BudgetRow>().FindAsync([caller.OrganisationId()], cancellationToken) is { Budget: { } budget } ? TypedResults.Ok(budget) : Problems.NotFound("A budget of your organisation");
}
