using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Embedding;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Discovery.Search;

/// <summary>
/// <c>GET /api/v1/services</c>: 1. who looks; 2. what is asked; 3. all matches that the viewer may see, from the index; 4. their scores, over the whole set; 5. the page.
/// </summary>
internal static class SearchListings
{
    /// <param name="Items">The page.</param>
    /// <param name="NextCursor">For the next page; null on the last.</param>
    /// <param name="Total">All that was found.</param>
    /// <param name="Facets">Values and counts by dimension, over all that was found; a dimension counts as if it were not narrowed itself.</param>
    internal sealed record Response(IReadOnlyList<Item> Items, string? NextCursor, int Total, IReadOnlyDictionary<string, IReadOnlyList<FacetValue>> Facets);

    /// <param name="Listing">The listing.</param>
    /// <param name="Score">What it is ranked by, 0 to 1.</param>
    /// <param name="Explanation">What the score is made of; with <c>explain=true</c>.</param>
    internal sealed record Item(ListingSummary Listing, double Score, Explanation? Explanation);

    public static async Task<Results<Ok<Response>, ProblemHttpResult>> Handle(
        [AsParameters] SearchParameters parameters, ClaimsPrincipal caller, Viewers viewers, OrganisationMirror organisations, IListingIndex index, SentenceEmbedder embedder, CancellationToken cancellationToken)
    {
        var issues = parameters.Read(out var text, out var filters, out var sort);
        if (issues.Count > 0)
        {
            return Problems.Invalid(issues);
        }

        var viewer = viewers.Of(caller);
        var query = Fingerprint(viewer, text, filters, sort);
        Position? after = null;
        if (parameters.Cursor is not null && (!Paging.TryDecode(parameters.Cursor, out after) || after.Query != query))
        {
            return Problems.Invalid(new Issue("invalid_cursor", "/cursor", "The cursor is not one of this search: take it from nextCursor, and repeat all other parameters."));
        }

        var vector = text is null ? null : (await embedder.EmbedAsync(text, cancellationToken)).Vector;
        var answer = await index.SearchAsync(new IndexQuery(viewer, text, vector, filters), cancellationToken);
        var limit = Paging.Limit(parameters.Limit);
        var rest = Ranking.Rank(answer.Candidates, text is not null)
            .Select(ranked => (Ranked: ranked, Position: new Position(query, sort.Key(ranked, viewer.Tier), ranked.Candidate.Listing.ListingId)))
            .Where(entry => after is null || Follows(entry.Position, after))
            .OrderBy(entry => entry.Position.Key).ThenByDescending(entry => entry.Position.Id)
            .Take(limit + 1)
            .ToList();
        var items = rest.Take(limit).Select(entry => new Item(
            ListingSummary.Of(entry.Ranked.Candidate.Listing, viewer, organisations),
            entry.Ranked.Explanation.Score,
            parameters.Explain is true ? entry.Ranked.Explanation : null));
        return TypedResults.Ok(new Response([.. items], rest.Count > limit ? Paging.Encode(rest[limit - 1].Position) : null, answer.Candidates.Count, answer.Facets));
    }

    private static bool Follows(Position position, Position after) => position.Key > after.Key || (position.Key == after.Key && position.Id.CompareTo(after.Id) < 0);

    /// <summary>The viewer's entitlement is part of it: another organisation's cursor continues nothing.</summary>
    private static string Fingerprint(Viewer viewer, string? text, SearchFilters filters, SortOrder sort) => Convert.ToHexStringLower(
        SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
            new { viewer, text, any = filters.Any.OrderBy(pair => pair.Key, StringComparer.Ordinal), filters.MaxPrice, filters.MinAvailability, filters.MinContextWindow, sort }, Json.Options)))[..16];
}
