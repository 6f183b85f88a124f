using LlmMarketplace.Entitlement;

namespace LlmMarketplace.Discovery.Search;

/// <summary>One part of a score.</summary>
/// <param name="Value">0 to 1; null when nothing is known of it.</param>
/// <param name="Used">What entered the score: <paramref name="Value"/>, or 0.5 for what is unknown, so that it moves nobody up or down.</param>
/// <param name="Weight">Its weight.</param>
internal sealed record ScorePart(double? Value, double Used, double Weight);

/// <summary>Why a listing stands where it stands.</summary>
/// <param name="Score">The sum of the parts by their weights.</param>
/// <param name="Relevance">How well it answers the text; unknown without one.</param>
/// <param name="Popularity">Requests, rating, reviews: nothing is measured yet.</param>
/// <param name="Performance">Latency, errors, availability as measured: nothing is measured yet. What a provider promises is no measurement.</param>
/// <param name="Compliance">Level and certifications.</param>
/// <param name="LexicalRank">Place among those found by words.</param>
/// <param name="Coverage">The share of the words found.</param>
/// <param name="VectorRank">Place among those found by meaning.</param>
/// <param name="Cosine">Closeness of meaning.</param>
/// <param name="Fused">The sum of the reciprocal ranks.</param>
internal sealed record Explanation(
    double Score, ScorePart Relevance, ScorePart Popularity, ScorePart Performance, ScorePart Compliance, int? LexicalRank, float? Coverage, int? VectorRank, float? Cosine, double? Fused);

/// <summary>A candidate and its score.</summary>
internal sealed record Ranked(Candidate Candidate, Explanation Explanation);

/// <summary>
/// The ranking of the specification, over the whole candidate set: 0.4 relevance + 0.2 popularity + 0.2 performance + 0.2 compliance, each in 0..1.
/// </summary>
internal static class Ranking
{
    private const int ReciprocalRankConstant = 60;
    private const double Neutral = 0.5;

    public static IReadOnlyList<Ranked> Rank(IReadOnlyList<Candidate> candidates, bool withText)
    {
        var best = withText ? candidates.Select(Fused).DefaultIfEmpty().Max() : 0;
        return [.. candidates.Select(candidate => new Ranked(candidate, Explain(candidate, withText ? best : null)))];
    }

    /// <summary>Reciprocal rank fusion: the sum over both lists of 1/(60 + rank).</summary>
    public static double Fused(Candidate candidate) => Reciprocal(candidate.LexicalRank) + Reciprocal(candidate.VectorRank);

    /// <summary>
    /// Reciprocal ranks say who comes before whom and hide by how much: the first and the tenth differ by 13 %, less than a certificate weighs. So
    /// relevance is the fused score relative to the best, times closeness: the share of words found or the cosine relative to the best, whichever is higher.
    /// </summary>
    public static double Relevance(Candidate candidate, double bestFused)
    {
        if (bestFused == 0)
        {
            return 0;
        }

        var meaning = candidate is { VectorRank: not null, BestCosine: > 0 } ? candidate.Cosine / candidate.BestCosine : 0;
        return Math.Clamp(Fused(candidate) / bestFused * Math.Max(candidate.Coverage, meaning), 0, 1);
    }

    /// <summary>0.5 + {public 0.1, internal 0.2, confidential and restricted 0.3} + 0.1 for each certification (at most 0.2), at most 1.</summary>
    public static double Compliance(ClearanceLevel level, int certifications) => Math.Min(
        1,
        0.5 + level switch
        {
            ClearanceLevel.Public => 0.1,
            ClearanceLevel.Internal => 0.2,
            _ => 0.3,
        } + Math.Min(0.1 * certifications, 0.2));

    private static Explanation Explain(Candidate candidate, double? bestFused)
    {
        var relevance = Part(bestFused is { } best ? Relevance(candidate, best) : null, 0.4);
        var popularity = Part(null, 0.2);
        var performance = Part(null, 0.2);
        var compliance = Part(Compliance(candidate.Listing.VersionFacts.Level, candidate.Listing.Specification.Compliance.Certifications.Count), 0.2);
        var score = new[] { relevance, popularity, performance, compliance }.Sum(part => part.Used * part.Weight);
        return bestFused is null
            ? new Explanation(score, relevance, popularity, performance, compliance, null, null, null, null, null)
            : new Explanation(score, relevance, popularity, performance, compliance, candidate.LexicalRank, candidate.Coverage, candidate.VectorRank, candidate.Cosine, Fused(candidate));
    }

    private static double Reciprocal(int? rank) => rank is { } place ? 1.0 / (ReciprocalRankConstant + place) : 0;

    private static ScorePart Part(double? value, double weight) => new(value, value ?? Neutral, weight);
}
