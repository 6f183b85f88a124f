using System.Security.Claims;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions/{version}/retire</c>: final. An active version is deprecated or suspended first.</summary>
internal static class RetireVersion
{
    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/{id:guid}/versions/{version}/retire", HandleAsync).WithName("RetireVersion").WithSummary("Retire a version for good");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, ClaimsPrincipal caller, VersionDesk desk, CancellationToken cancellationToken) =>
        await desk.MoveAsync(caller, id, version, _ => VersionStatus.Retired, ChangeCauses.Retired, (_, _) => { }, ownerOnly: false, cancellationToken);
}
