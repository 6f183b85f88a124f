using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>
/// <c>POST /api/v1/keys/{id}/suspend</c> and <c>/resume</c>: a suspended key admits nothing, in any instance, until it is resumed. Calls that run finish. Repeating
/// either changes nothing.
/// </summary>
internal static class SuspendKey
{
    public static void Map(IEndpointRouteBuilder keys)
    {
        keys.MapPost("/{id:guid}/suspend", (Guid id, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken) =>
            SetAsync(id, suspended: true, caller, db, changes, time, cancellationToken)).WithName("SuspendKey").WithSummary("Suspend an API key");
        keys.MapPost("/{id:guid}/resume", (Guid id, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken) =>
            SetAsync(id, suspended: false, caller, db, changes, time, cancellationToken)).WithName("ResumeKey").WithSummary("Resume a suspended API key");
    }

    private static async Task<Results<Ok<KeyView>, ProblemHttpResult>> SetAsync(
        Guid id, bool suspended, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null)
        {
            return KeyRules.Revoked();
        }

        var now = time.GetUtcNow();
        if (suspended != row.SuspendedAt is not null)
        {
            row.SuspendedAt = suspended ? now : null;
            if (await changes.SaveAsync(db, row, cancellationToken) is { } conflict)
            {
                return conflict;
            }
        }

        return TypedResults.Ok(KeyView.Of(row, now));
    }
}
