using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>DELETE /api/v1/keys/{id}</c>: ends a key everywhere within a second, for good. Its records stay.</summary>
internal static class RevokeKey
{
    public static void Map(IEndpointRouteBuilder keys) => keys.MapDelete("/{id:guid}", HandleAsync).WithName("RevokeKey").WithSummary("Revoke an API key");

    private static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(Guid id, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null)
        {
            return TypedResults.NoContent();
        }

        row.RevokedAt = time.GetUtcNow();
        return await changes.SaveAsync(db, row, cancellationToken) is { } conflict ? conflict : TypedResults.NoContent();
    }
}
