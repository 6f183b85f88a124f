using System.Security.Claims;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>GET /api/v1/listings/{id}/versions/{version}</c>.</summary>
internal static class GetVersion
{
    public static void Map(RouteGroupBuilder listings) => listings.MapGet("/{id:guid}/versions/{version}", HandleAsync).WithName("GetVersion").WithSummary("Read a version");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, ClaimsPrincipal caller, ListingDesk desk, CancellationToken cancellationToken)
    {
        if (await desk.FindAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        return listing.Versions.Find(one => one.Version == version) is { } found ? TypedResults.Ok(VersionView.Of(listing, found)) : Refusals.NoVersion;
    }
}
