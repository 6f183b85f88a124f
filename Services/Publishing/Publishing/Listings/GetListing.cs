using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Listings;

/// <summary><c>GET /api/v1/listings/{id}</c>.</summary>
internal static class GetListing
{
    public static void Map(RouteGroupBuilder listings) => listings.MapGet("/{id:guid}", HandleAsync).WithName("GetListing").WithSummary("Read a listing");

    private static async Task<Results<Ok<ListingView>, ProblemHttpResult>> HandleAsync(Guid id, ClaimsPrincipal caller, ListingDesk desk, CancellationToken cancellationToken) =>
        await desk.FindAsync(id, cancellationToken) is { } listing && caller.MaySee(listing) ? TypedResults.Ok(ListingView.Of(listing)) : Refusals.NoListing;
}
