using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions/{version}/deprecate</c>: callable until its sunset, then retired.</summary>
internal static class DeprecateVersion
{
    private static readonly TimeSpan DefaultNotice = TimeSpan.FromDays(30);

    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/{id:guid}/versions/{version}/deprecate", HandleAsync).WithName("DeprecateVersion").WithSummary("Announce the end of a version");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, ClaimsPrincipal caller, VersionDesk desk, CancellationToken cancellationToken, Request? request = null)
    {
        var sunset = request?.SunsetAt?.ToUniversalTime() ?? desk.Now + DefaultNotice;
        if (sunset <= desk.Now)
        {
            return Problems.Invalid(new Issue("sunset_passed", "/sunsetAt", "The sunset must be in the future."));
        }

        return await desk.MoveAsync(caller, id, version, _ => VersionStatus.Deprecated, ChangeCauses.Deprecated, (_, found) => found.SunsetAt = sunset, ownerOnly: true, cancellationToken);
    }

    /// <summary>When it ends.</summary>
    /// <param name="SunsetAt">Default: in 30 days.</param>
    internal sealed record Request(DateTimeOffset? SunsetAt);
}
