using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>GET /api/v1/keys/{id}</c>.</summary>
internal static class GetKey
{
    public static void Map(IEndpointRouteBuilder keys) => keys.MapGet("/{id:guid}", HandleAsync).WithName("GetKey").WithSummary("Read an API key's settings");

    private static async Task<Results<Ok<KeyView>, ProblemHttpResult>> HandleAsync(Guid id, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken) =>
        await FindAsync(db, id, caller, cancellationToken) is { } row ? TypedResults.Ok(KeyView.Of(row, time.GetUtcNow())) : Problems.NotFound("The key");

    /// <summary>The key, if it is the caller's organisation's.</summary>
    internal static Task<KeyRow?> FindAsync(ConsumptionDb db, Guid id, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        return db.Set<KeyRow>().SingleOrDefaultAsync(key => key.Id == id && key.OrganisationId == organisation, cancellationToken);
    }
}
