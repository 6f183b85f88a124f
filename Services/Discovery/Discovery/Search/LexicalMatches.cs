using LlmMarketplace.Entitlement;
using Npgsql;

namespace LlmMarketplace.Discovery.Search;

/// <summary>A version found by words.</summary>
/// <param name="VersionId">The version.</param>
/// <param name="Coverage">The share of the query's words that it has, 0 to 1.</param>
internal readonly record struct LexicalMatch(Guid VersionId, float Coverage);

/// <summary>Full-text search in PostgreSQL, forgiving typing errors in names and tags.</summary>
internal sealed class LexicalMatches(NpgsqlDataSource database)
{
    /// <summary>The most matches that are ranked; a query that matches more is too broad for ranks beyond to mean anything.</summary>
    private const int Limit = 2_000;

    /// <summary>
    /// People describe what they want; few listings have all their words. So words are joined by OR, as BM25 does, and a match must have at least half
    /// of them (rounded up). A word of four letters or more that nothing visible has may be misspelt: it counts where a name or tag is similar by trigrams
    /// (pg_trgm's default of 0.6: a letter too many or too few leaves more, "opera" and "open" have 0.5).
    /// Order: more words first, then PostgreSQL's rank by weights (name 3, description 2, tags 1.5, capabilities 1, scaled to at most 1).
    /// </summary>
    private const string Sql =
        $"""
         WITH words AS (
             SELECT word, plainto_tsquery('english', word) AS query
             FROM regexp_split_to_table(lower(@text), '[^[:alnum:]]+') WITH ORDINALITY AS w (word, n)
             WHERE word <> '' AND n <= 32
             GROUP BY word
         ), wanted AS (
             SELECT word, query,
                    length(word) >= 4 AND NOT EXISTS (SELECT FROM listing_faces f WHERE f.search @@ query AND {VisibleFaces.Condition}) AS misspelt
             FROM words WHERE numnode(query) > 0
         ), anything AS (
             SELECT string_agg(query::text, ' | ')::tsquery AS query, count(*)::int AS words FROM wanted
         ), found AS (
             SELECT f.version_id FROM listing_faces f WHERE f.search @@ (SELECT query FROM anything) AND {VisibleFaces.Condition}
             UNION
             SELECT f.version_id FROM wanted JOIN listing_faces f ON wanted.word <% f.names WHERE wanted.misspelt AND {VisibleFaces.Condition}
         ), covered AS (
             SELECT version_id, f.search,
                    (SELECT count(*) FROM wanted WHERE f.search @@ wanted.query OR (misspelt AND word <% f.names))::int AS has
             FROM found JOIN listing_faces f USING (version_id)
         )
         SELECT version_id, has::real / words AS coverage
         FROM covered, anything
         WHERE has * 2 >= words
         ORDER BY has DESC, ts_rank(ARRAY[0.333, 0.5, 0.667, 1.0]::real[], search, query) DESC, version_id
         LIMIT @limit
         """;

    /// <summary>What the viewer may see and has the words, best first.</summary>
    public async Task<IReadOnlyList<LexicalMatch>> FindAsync(OrganisationFacts viewer, string text, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(Sql);
        VisibleFaces.Bind(command.Parameters, viewer);
        command.Parameters.AddWithValue("text", text);
        command.Parameters.AddWithValue("limit", Limit);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var matches = new List<LexicalMatch>();
        while (await reader.ReadAsync(cancellationToken))
        {
            matches.Add(new LexicalMatch(reader.GetGuid(0), reader.GetFloat(1)));
        }

        return matches;
    }
}
