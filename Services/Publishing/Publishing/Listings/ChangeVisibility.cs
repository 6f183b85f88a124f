using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Listings;

/// <summary><c>PATCH /api/v1/listings/{id}</c>: who may see it.</summary>
internal static class ChangeVisibility
{
    public static void Map(RouteGroupBuilder listings) => listings.MapPatch("/{id:guid}", HandleAsync).WithName("ChangeVisibility").WithSummary("Change who may see a listing");

    private static async Task<Results<Ok<ListingView>, ProblemHttpResult>> HandleAsync(
        Guid id, Request request, ClaimsPrincipal caller, ListingDesk desk, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing))
        {
            return Refusals.NotYours;
        }

        if (Visibilities.Check(request.Visibility).ToList() is { Count: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        var wanted = Visibilities.Normalise(request.Visibility!);
        if (wanted.Kind != listing.Visibility.Kind || !wanted.Organisations.ToHashSet().SetEquals(listing.Visibility.Organisations))
        {
            listing.Visibility = wanted;
            desk.Announce(listing, ChangeCauses.VisibilityChanged);
            await desk.CommitAsync(cancellationToken);
        }

        return TypedResults.Ok(ListingView.Of(listing));
    }

    /// <summary>What changes.</summary>
    /// <param name="Visibility">Who may see it from now on.</param>
    internal sealed record Request([property: Required] ListingVisibility? Visibility);
}
