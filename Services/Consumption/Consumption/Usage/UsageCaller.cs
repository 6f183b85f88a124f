using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Consumption.Usage;

/// <summary>Who asks about usage: a person of the organisation (role consumer), who sees all of it, or an API key, which sees its own.</summary>
/// <param name="Organisation">Whose usage.</param>
/// <param name="Key">Of this key only; null: all.</param>
internal readonly record struct UsageScope(Guid Organisation, Guid? Key);

/// <summary>Authenticates those who ask; these routes take tokens and keys alike.</summary>
internal static class UsageCaller
{
    public static async Task<(UsageScope Scope, ProblemHttpResult? Refusal)> FindAsync(HttpContext http, ConsumptionDb db, ApiKeyHasher hasher, TimeProvider time)
    {
        if (KeyCheck.BearerOf(http.Request) is { } bearer && bearer.StartsWith(ApiKey.Prefix, StringComparison.Ordinal))
        {
            var row = ApiKey.TryParse(bearer, out var given) ? await db.Set<KeyRow>().AsNoTracking().SingleOrDefaultAsync(key => key.Identifier == given.Identifier, http.RequestAborted) : null;
            return row is not null && hasher.Proves(given, row.Hash, row.PreviousUntil > time.GetUtcNow() ? row.PreviousHash : null)
                && row.RevokedAt is null && row.SuspendedAt is null && !(row.ExpiresAt <= time.GetUtcNow())
                ? (new UsageScope(row.OrganisationId, row.Id), null)
                : (default, Problems.Of(StatusCodes.Status401Unauthorized, "invalid_api_key", "The API key is not valid, has expired, or was revoked or suspended."));
        }

        var services = http.RequestServices;
        var policy = await services.GetRequiredService<IAuthorizationPolicyProvider>().GetDefaultPolicyAsync();
        if (http.User.Identity?.IsAuthenticated != true || !(await services.GetRequiredService<IAuthorizationService>().AuthorizeAsync(http.User, policy)).Succeeded)
        {
            return (default, Problems.Of(StatusCodes.Status401Unauthorized, "unauthenticated", "Send an access token of /connect/token, or an API key, as `Authorization: Bearer …`."));
        }

        return http.User.Has(Roles.Consumer)
            ? (new UsageScope(http.User.OrganisationId(), null), null)
            : (default, Problems.Forbidden("forbidden", "Usage is for those with the role consumer."));
    }
}
