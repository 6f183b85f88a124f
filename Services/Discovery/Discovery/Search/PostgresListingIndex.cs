using System.Globalization;
using Npgsql;

namespace LlmMarketplace.Discovery.Search;

/// <summary>Words are found by PostgreSQL's full text, meaning by an exact scan of the vectors in memory; filters and facets are worked out on the listings in memory.</summary>
internal sealed class PostgresListingIndex(NpgsqlDataSource database, LexicalMatches words, ListingMirror mirror) : IListingIndex
{
    /// <summary>
    /// Below this cosine two texts have nothing to do with each other, so that a query that matches nothing returns nothing. Taken from the model's golden
    /// sentences: pairs of different subjects reach 0.21 (German–French translation, tests in Python, contracts, the weather), the pair of one subject in different
    /// words has 0.48, and two that share documents as their subject 0.30. Short queries lie lower than sentences: "turn text into vectors" has 0.31 with a description of
    /// an embedding service, while gibberish reaches 0.24.
    /// </summary>
    public const float CosineFloor = 0.25f;

    /// <summary>A match by meaning that is this much weaker than the best one is an echo of it: it would only dilute counts and pages.</summary>
    public const float CosineShare = 0.6f;

    /// <summary>Documents are alike where queries only hint: two descriptions have more in common by being descriptions.</summary>
    public const float SimilarFloor = 0.3f;

    private const int VectorLimit = 2_000;

    public async Task<IndexAnswer> SearchAsync(IndexQuery query, CancellationToken cancellationToken)
    {
        var lexical = query.Text is null ? [] : await words.FindAsync(query.Viewer.Organisation, query.Text, cancellationToken);
        var coverage = lexical.ToDictionary(match => match.VersionId, match => match.Coverage);
        var seen = new List<(Listing Listing, float Cosine)>();
        var best = 0f;
        mirror.Visit(query.Viewer, query.Vector, (listing, cosine) =>
        {
            if (query.Text is null || cosine >= CosineFloor || coverage.ContainsKey(listing.VersionId))
            {
                seen.Add((listing, cosine));
                best = Math.Max(best, cosine);
            }
        });

        var floor = Math.Max(CosineFloor, best * CosineShare);
        var facets = new FacetCounts();
        var passed = new List<(Listing Listing, float Cosine)>();
        foreach (var match in seen)
        {
            if ((query.Text is null || match.Cosine >= floor || coverage.ContainsKey(match.Listing.VersionId)) && query.Filters.WithinLimits(match.Listing, query.Viewer.Tier))
            {
                var failed = query.Filters.Failed(match.Listing);
                facets.Count(match.Listing, failed);
                if (failed == 0)
                {
                    passed.Add(match);
                }
            }
        }

        // Ranks count among what passes the filters: what is filtered away must not push down what is left.
        var lexicalRanks = Ranks(lexical.Select(match => match.VersionId), passed.Select(match => match.Listing.VersionId).ToHashSet());
        var vectorRanks = query.Vector is null
            ? []
            : Ranks(passed.Where(m => m.Cosine >= floor).OrderByDescending(m => m.Cosine).ThenBy(m => m.Listing.VersionId).Take(VectorLimit).Select(m => m.Listing.VersionId), only: null);
        var candidates = passed.Select(match => new Candidate(
            match.Listing,
            lexicalRanks.TryGetValue(match.Listing.VersionId, out var lexicalRank) ? lexicalRank : null,
            coverage.GetValueOrDefault(match.Listing.VersionId),
            vectorRanks.TryGetValue(match.Listing.VersionId, out var vectorRank) ? vectorRank : null,
            match.Cosine,
            best));
        return new IndexAnswer([.. candidates], facets.ToFacets());
    }

    public ValueTask<Listing?> FindAsync(Viewer viewer, Guid listingId, CancellationToken cancellationToken)
    {
        Listing? found = null;
        mirror.Visit(viewer, null, (listing, _) => found = listing.ListingId == listingId ? listing : found);
        return ValueTask.FromResult(found);
    }

    public ValueTask<IReadOnlyList<SimilarListing>> SimilarAsync(Viewer viewer, Listing listing, int limit, CancellationToken cancellationToken)
    {
        var near = new List<SimilarListing>();
        if (mirror.Vector(listing.VersionId) is { } vector)
        {
            mirror.Visit(viewer, vector, (other, cosine) =>
            {
                if (cosine >= SimilarFloor && other.ListingId != listing.ListingId && SearchFilters.Live.Failed(other) == 0)
                {
                    near.Add(new SimilarListing(other, cosine));
                }
            });
        }

        return ValueTask.FromResult<IReadOnlyList<SimilarListing>>([.. near.OrderByDescending(n => n.Cosine).ThenBy(n => n.Listing.ListingId).Take(limit)]);
    }

    public async Task<IReadOnlyList<Suggestion>> CompleteAsync(Viewer viewer, string typed, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
             WITH seen AS (
                 SELECT f.provider, f.name, f.document #>> ARRAY['specification', 'category'] AS category, f.document #> ARRAY['specification', 'tags'] AS tags
                 FROM listing_faces f
                 WHERE {VisibleFaces.Condition} AND {VisibleFaces.Live}
             ), terms AS (
                 SELECT provider || '/' || name AS text, 'service' AS kind FROM seen
                 UNION ALL SELECT tag, 'tag' FROM seen, jsonb_array_elements_text(tags) AS tag
                 UNION ALL SELECT category, 'category' FROM seen
                 UNION ALL SELECT provider, 'provider' FROM seen
             ), counted AS (
                 SELECT text, kind, count(*)::int AS count, (text ILIKE @starts OR text ~* @inside) AS completes, word_similarity(@typed, text) AS similarity
                 FROM terms GROUP BY text, kind
             )
             SELECT text, kind, count FROM counted
             WHERE completes OR similarity >= 0.5
             ORDER BY completes DESC, similarity DESC, count DESC, text, kind
             LIMIT @limit
             """);
        VisibleFaces.Bind(command.Parameters, viewer.Organisation);
        command.Parameters.AddWithValue("typed", typed);
        command.Parameters.AddWithValue("starts", typed.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal) + "%");
        // A word inside: after anything that is neither letter nor digit. Everything typed is quoted, character by character.
        command.Parameters.AddWithValue("inside", "[^[:alnum:]]" + string.Concat(typed.EnumerateRunes().Select(r => Letter(r.ToString(), r.Value))));
        command.Parameters.AddWithValue("limit", limit);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var suggestions = new List<Suggestion>();
        while (await reader.ReadAsync(cancellationToken))
        {
            suggestions.Add(new Suggestion(reader.GetString(0), reader.GetString(1), reader.GetInt32(2)));
        }

        return suggestions;
    }

    private static string Letter(string text, int codePoint) => char.IsLetterOrDigit(text, 0) ? text : string.Create(CultureInfo.InvariantCulture, $"\\U{codePoint:x8}");

    private static Dictionary<Guid, int> Ranks(IEnumerable<Guid> ordered, HashSet<Guid>? only) =>
        ordered.Where(id => only is null || only.Contains(id)).Select((id, index) => (id, Rank: index + 1)).ToDictionary(pair => pair.id, pair => pair.Rank);
}
