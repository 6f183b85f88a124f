using System.Security.Claims;
using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Discovery.Categories;

/// <summary><c>GET /api/v1/services/categories</c>: all categories, with how many live services of each the caller sees.</summary>
internal static class ListCategories
{
    internal sealed record Response(IReadOnlyList<FacetValue> Items);

    public static async Task<Ok<Response>> Handle(ClaimsPrincipal caller, Viewers viewers, IListingIndex index, CancellationToken cancellationToken)
    {
        var answer = await index.SearchAsync(new IndexQuery(viewers.Of(caller), null, null, SearchFilters.Live), cancellationToken);
        var counts = answer.Facets["category"].ToDictionary(value => value.Value, value => value.Count);
        return TypedResults.Ok(new Response([.. ServiceCategories.All.Select(category => new FacetValue(category, counts.GetValueOrDefault(category)))]));
    }
}
