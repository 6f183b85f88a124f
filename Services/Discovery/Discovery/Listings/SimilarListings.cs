using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Discovery.Search;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Discovery.Listings;

/// <summary><c>GET /api/v1/services/{id}/similar</c>: live services close in meaning, closest first.</summary>
internal static class SimilarListings
{
    internal sealed record Response(IReadOnlyList<Item> Items);

    /// <param name="Listing">The other service.</param>
    /// <param name="Similarity">Cosine of the two descriptions, at most 1.</param>
    internal sealed record Item(ListingSummary Listing, float Similarity);

    public static async Task<Results<Ok<Response>, ProblemHttpResult>> Handle(
        Guid id, [Description("Services, 1 to 50; 10 unless given.")] int? limit, ClaimsPrincipal caller, Viewers viewers, OrganisationMirror organisations, IListingIndex index, CancellationToken cancellationToken)
    {
        var viewer = viewers.Of(caller);
        if (await index.FindAsync(viewer, id, cancellationToken) is not { } listing)
        {
            return Problems.NotFound("The service");
        }

        var similar = await index.SimilarAsync(viewer, listing, Math.Clamp(limit ?? 10, 1, 50), cancellationToken);
        return TypedResults.Ok(new Response([.. similar.Select(s => new Item(ListingSummary.Of(s.Listing, viewer, organisations), s.Cosine))]));
    }
}
