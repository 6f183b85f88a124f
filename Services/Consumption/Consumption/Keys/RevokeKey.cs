using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>
/// <c>DELETE /api/v1/keys/{id}</c>: ends a key everywhere within a second, for good. Its records stay. Calls that run finish, unless <c>?terminate=true</c>: then they end within a
/// second too, in every instance, streams with an error event; what was delivered of them is charged. May be said of a key that is revoked already.
/// </summary>
internal static class RevokeKey
{
    public static void Map(IEndpointRouteBuilder keys) => keys.MapDelete("/{id:guid}", HandleAsync).WithName("RevokeKey").WithSummary("Revoke an API key");

    private static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        Guid id, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken, bool terminate = false)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null && (!terminate || row.CallsEndedAt is not null))
        {
            return TypedResults.NoContent();
        }

        row.RevokedAt ??= time.GetUtcNow();
        row.CallsEndedAt ??= terminate ? time.GetUtcNow() : null;
        return await changes.SaveAsync(db, row, cancellationToken) is { } conflict ? conflict : TypedResults.NoContent();
    }
}
