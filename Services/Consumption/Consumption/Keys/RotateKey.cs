using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>
/// <c>POST /api/v1/keys/{id}/rotate</c>: a new secret for the same key, shown this once. The one before stays valid for an overlap, so that callers can change
/// over one by one; <c>DELETE /api/v1/keys/{id}/previous-secret</c> ends it early. At most two are valid: rotating again ends the oldest.
/// </summary>
internal static class RotateKey
{
    private const int DefaultOverlapSeconds = 24 * 3_600;
    private const int MaxOverlapSeconds = 30 * 24 * 3_600;

    /// <param name="OverlapSeconds">How long the secret before stays valid, from 0 to 30 days; 24 hours unless said.</param>
    internal sealed record Request(int? OverlapSeconds);

    public static void Map(IEndpointRouteBuilder keys)
    {
        keys.MapPost("/{id:guid}/rotate", HandleAsync).WithName("RotateKey").WithSummary("Give an API key a new secret; it is shown this once");
        keys.MapDelete("/{id:guid}/previous-secret", EndAsync).WithName("EndPreviousSecret").WithSummary("End the secret that a rotation replaced");
    }

    private static async Task<Results<Ok<KeyView>, ProblemHttpResult>> HandleAsync(
        Guid id, Request? request, ClaimsPrincipal caller, ConsumptionDb db, ApiKeyHasher hasher, KeyChanges changes, TimeProvider time, HttpContext http, CancellationToken cancellationToken)
    {
        var overlap = request?.OverlapSeconds ?? DefaultOverlapSeconds;
        if (overlap is < 0 or > MaxOverlapSeconds)
        {
            return Problems.Invalid(new Issue("invalid_overlap", "/overlapSeconds", $"The overlap must lie between 0 and {MaxOverlapSeconds} seconds."));
        }

        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null)
        {
            return KeyRules.Revoked();
        }

        var now = time.GetUtcNow();
        var key = ApiKey.WithNewSecret(row.Identifier);
        row.PreviousHash = overlap == 0 ? null : row.Hash;
        row.PreviousUntil = overlap == 0 ? null : now.AddSeconds(overlap);
        (row.Hash, row.HashKeyId) = (hasher.Hash(key), hasher.KeyId);
        if (await changes.SaveAsync(db, row, cancellationToken) is { } conflict)
        {
            return conflict;
        }

        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(KeyView.Of(row, now, key.Text));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> EndAsync(Guid id, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, CancellationToken cancellationToken)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.PreviousHash is null)
        {
            return TypedResults.NoContent();
        }

        (row.PreviousHash, row.PreviousUntil) = (null, null);
        return await changes.SaveAsync(db, row, cancellationToken) is { } conflict ? conflict : TypedResults.NoContent();
    }
}
