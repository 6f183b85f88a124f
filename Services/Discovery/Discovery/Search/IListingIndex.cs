namespace LlmMarketplace.Discovery.Search;

/// <summary>
/// Finds listings. Every answer holds only what the viewer may see, whatever is asked; ranking, sorting and paging are the callers'.
/// </summary>
internal interface IListingIndex
{
    /// <summary>All matches that pass the filters, with their ranks, and the facets over the matches.</summary>
    Task<IndexAnswer> SearchAsync(IndexQuery query, CancellationToken cancellationToken);

    /// <summary>The face of a listing that the viewer is shown, or null.</summary>
    ValueTask<Listing?> FindAsync(Viewer viewer, Guid listingId, CancellationToken cancellationToken);

    /// <summary>Live listings close in meaning to <paramref name="listing"/>, closest first, without itself.</summary>
    ValueTask<IReadOnlyList<SimilarListing>> SimilarAsync(Viewer viewer, Listing listing, int limit, CancellationToken cancellationToken);

    /// <summary>Completes what somebody types, or mends it: names of services, tags, categories and providers among live listings.</summary>
    Task<IReadOnlyList<Suggestion>> CompleteAsync(Viewer viewer, string typed, int limit, CancellationToken cancellationToken);
}

/// <param name="Viewer">Who asks.</param>
/// <param name="Text">What is looked for; null for everything.</param>
/// <param name="Vector">The meaning of <paramref name="Text"/>; null with it.</param>
/// <param name="Filters">What it is narrowed by.</param>
internal sealed record IndexQuery(Viewer Viewer, string? Text, float[]? Vector, SearchFilters Filters);

/// <param name="Candidates">In no particular order.</param>
/// <param name="Facets">Values and counts by dimension.</param>
internal sealed record IndexAnswer(IReadOnlyList<Candidate> Candidates, IReadOnlyDictionary<string, IReadOnlyList<FacetValue>> Facets);

/// <summary>A listing that matches.</summary>
/// <param name="Listing">The listing.</param>
/// <param name="LexicalRank">Place among those found by words, from 1; null when not among them.</param>
/// <param name="Coverage">The share of the query's words that it has.</param>
/// <param name="VectorRank">Place among those found by meaning, from 1.</param>
/// <param name="Cosine">Closeness of meaning.</param>
/// <param name="BestCosine">The best cosine of all matches: what the cosine is measured by.</param>
internal sealed record Candidate(Listing Listing, int? LexicalRank, float Coverage, int? VectorRank, float Cosine, float BestCosine);

/// <param name="Text">What to search for.</param>
/// <param name="Kind"><c>service</c>, <c>tag</c>, <c>category</c> or <c>provider</c>.</param>
/// <param name="Count">How many listings have it.</param>
internal sealed record Suggestion(string Text, string Kind, int Count);

/// <param name="Listing">The listing.</param>
/// <param name="Cosine">How close it is in meaning, at most 1.</param>
internal readonly record struct SimilarListing(Listing Listing, float Cosine);
