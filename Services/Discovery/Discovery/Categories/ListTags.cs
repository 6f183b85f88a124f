using System.Security.Claims;
using LlmMarketplace.Discovery.Search;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Discovery.Categories;

/// <summary><c>GET /api/v1/services/tags</c>: the tags of the live services that the caller sees, most used first, at most 50.</summary>
internal static class ListTags
{
    internal sealed record Response(IReadOnlyList<FacetValue> Items);

    public static async Task<Ok<Response>> Handle(ClaimsPrincipal caller, Viewers viewers, IListingIndex index, CancellationToken cancellationToken)
    {
        var answer = await index.SearchAsync(new IndexQuery(viewers.Of(caller), null, null, SearchFilters.Live), cancellationToken);
        return TypedResults.Ok(new Response(answer.Facets["tag"]));
    }
}
