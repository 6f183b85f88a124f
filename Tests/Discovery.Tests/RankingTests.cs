using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Entitlement;

namespace LlmMarketplace.Discovery.Tests;

public sealed class RankingTests
{
    [Theory]
    [InlineData(ClearanceLevel.Public, 0, 0.6)]
    [InlineData(ClearanceLevel.Internal, 0, 0.7)]
    [InlineData(ClearanceLevel.Confidential, 0, 0.8)]
    [InlineData(ClearanceLevel.Restricted, 0, 0.8)]
    [InlineData(ClearanceLevel.Public, 1, 0.7)]
    [InlineData(ClearanceLevel.Public, 5, 0.8)]
    [InlineData(ClearanceLevel.Restricted, 2, 1.0)]
    public void Compliance_is_scored_by_the_formula(ClearanceLevel level, int certifications, double expected) => Assert.Equal(expected, Ranking.Compliance(level, certifications), 10);

    [Fact]
    public void Ranks_are_fused_by_their_reciprocals()
    {
        Assert.Equal((1 / 61.0) + (1 / 63.0), Ranking.Fused(Candidate(lexical: 1, vector: 3)), 12);
        Assert.Equal(1 / 62.0, Ranking.Fused(Candidate(vector: 2)), 12);
    }

    [Fact]
    public void What_both_lists_found_comes_before_what_one_found()
    {
        var ranked = Ranking.Rank([Candidate(lexical: 3, vector: 3), Candidate(lexical: 1), Candidate(vector: 1)], withText: true);
        Assert.True(ranked[0].Explanation.Score > ranked[1].Explanation.Score);
        Assert.True(ranked[0].Explanation.Score > ranked[2].Explanation.Score);
    }

    [Fact]
    public void Certificates_do_not_carry_a_distant_match_past_the_service_that_was_meant()
    {
        var meant = Candidate(vector: 1, cosine: 0.7f, best: 0.7f);
        var certified = Candidate(vector: 2, cosine: 0.43f, best: 0.7f, certifications: ["SOC2", "ISO27001"], level: ClearanceLevel.Restricted);
        var ranked = Ranking.Rank([meant, certified], withText: true);
        Assert.True(ranked[0].Explanation.Score > ranked[1].Explanation.Score);
    }

    [Fact]
    public void What_is_unknown_is_said_to_be_unknown_and_moves_nobody()
    {
        var explanation = Ranking.Rank([Candidate(lexical: 1, vector: 1)], withText: true)[0].Explanation;
        Assert.Null(explanation.Popularity.Value);
        Assert.Null(explanation.Performance.Value);
        Assert.Equal((0.5, 0.5), (explanation.Popularity.Used, explanation.Performance.Used));
        Assert.Equal((0.4 * 1) + (0.2 * 0.5) + (0.2 * 0.5) + (0.2 * 0.6), explanation.Score, 10);
        Assert.Null(Ranking.Rank([Candidate()], withText: false)[0].Explanation.Relevance.Value);
    }

    private static Candidate Candidate(int? lexical = null, int? vector = null, float cosine = 0.5f, float best = 0.5f, string[]? certifications = null, ClearanceLevel level = ClearanceLevel.Public)
    {
        var version = Samples.Version(Samples.Specification("Something.", certifications: certifications));
        var listing = new Listing(
            Guid.CreateVersion7(), new ListingFacts(Guid.CreateVersion7(), true, false, AudienceKind.Public, []), new VersionFacts(VersionState.Active, level), ClearanceLevel.Public, ClearanceLevel.Restricted, true,
            "p", "s", Indexing.VersionDocument.Of(version), default, default);
        return new Candidate(listing, lexical, lexical is null ? 0 : 1, vector, cosine, best);
    }
}
