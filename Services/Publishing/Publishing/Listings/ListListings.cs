using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Publishing.Listings;

/// <summary><c>GET /api/v1/listings</c>: your organisation's, newest first; for administrators and auditors everybody's.</summary>
internal static class ListListings
{
    public static void Map(RouteGroupBuilder listings) => listings.MapGet("/", HandleAsync).WithName("ListListings").WithSummary("List listings, newest first");

    private static async Task<Results<Ok<Page<ListingView>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller, PublishingDb db, CancellationToken cancellationToken,
        [Description("Only the listing of this name.")] string? name = null, [Description("Only this organisation's; providers always see their own only.")] Guid? organisation = null, int? limit = null, string? cursor = null)
    {
        var found = db.Listings.AsNoTracking().Include(listing => listing.Versions).AsSplitQuery();
        if ((caller.SeesAll() ? organisation : caller.OrganisationId()) is { } only)
        {
            found = found.Where(listing => listing.OrganisationId == only);
        }

        if (name is not null)
        {
            found = found.Where(listing => listing.Name == name);
        }

        if (cursor is not null)
        {
            if (!Paging.TryDecode<Guid>(cursor, out var before))
            {
                return Problems.Of(StatusCodes.Status400BadRequest, "invalid_cursor", "Pass the nextCursor of the page before, or none.");
            }

            found = found.Where(listing => listing.Id.CompareTo(before) < 0);
        }

        var size = Paging.Limit(limit);
        var page = await found.OrderByDescending(listing => listing.Id).Take(size + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<ListingView>([.. page.Take(size).Select(ListingView.Of)], page.Count > size ? Paging.Encode(page[size - 1].Id) : null));
    }
}
