using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary><c>DELETE /api/v1/budgets</c>: takes the organisation's budget away; the tier's limits and the keys' budgets stay.</summary>
internal static class DeleteBudget
{
    public static void Map(IEndpointRouteBuilder budgets) => budgets.MapDelete("/", HandleAsync).WithName("DeleteBudget").WithSummary("Take the organisation's budget away");

    private static async Task<NoContent> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        await PutBudget.ChangeAsync(db, caller, null, time.GetUtcNow(), cancellationToken);
        return TypedResults.NoContent();
    }
}
