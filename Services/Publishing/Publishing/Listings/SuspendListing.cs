using System.Security.Claims;
using LlmMarketplace.Publishing.Versions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Listings;

/// <summary><c>POST /api/v1/listings/{id}/suspend</c> and <c>/resume</c>: all of its versions at once, each as it was afterwards. Repeating changes nothing.</summary>
internal static class SuspendListing
{
    public static void Map(RouteGroupBuilder listings)
    {
        listings.MapPost("/{id:guid}/suspend", SuspendAsync).WithName("SuspendListing").WithSummary("Suspend a listing with all of its versions");
        listings.MapPost("/{id:guid}/resume", ResumeAsync).WithName("ResumeListing").WithSummary("Resume a suspended listing");
    }

    private static async Task<Results<Ok<ListingView>, ProblemHttpResult>> SuspendAsync(
        Guid id, StatusReason request, ClaimsPrincipal caller, ListingDesk desk, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing) && !caller.IsOperator())
        {
            return Refusals.NotYours;
        }

        if (StatusReason.Check(request) is { } wrong)
        {
            return wrong;
        }

        var byOperator = !caller.Owns(listing);
        if (!listing.Suspended || (byOperator && !listing.SuspendedByOperator))
        {
            listing.Suspended = true;
            listing.SuspendedByOperator = byOperator;
            listing.SuspensionReason = request.Reason;
            desk.Announce(listing, ChangeCauses.Suspended);
            await desk.CommitAsync(cancellationToken);
        }

        return TypedResults.Ok(ListingView.Of(listing));
    }

    private static async Task<Results<Ok<ListingView>, ProblemHttpResult>> ResumeAsync(Guid id, ClaimsPrincipal caller, ListingDesk desk, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing) && !caller.IsOperator())
        {
            return Refusals.NotYours;
        }

        if (listing.SuspendedByOperator && !caller.IsOperator())
        {
            return Refusals.SuspendedByOperator;
        }

        if (listing.Suspended)
        {
            listing.Suspended = false;
            listing.SuspendedByOperator = false;
            listing.SuspensionReason = null;
            desk.Announce(listing, ChangeCauses.Resumed);
            await desk.CommitAsync(cancellationToken);
        }

        return TypedResults.Ok(ListingView.Of(listing));
    }
}
