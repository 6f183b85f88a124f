namespace LlmMarketplace.Entitlement.Tests;

public sealed class EntitlementsTests
{
    public static TheoryData<string> Cases => [.. EntitlementCase.All.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_table_of_cases_holds(string name)
    {
        var (_, viewer, listing, versions, sees, calls) = EntitlementCase.All.Single(c => c.Name == name);
        Assert.Equal(sees, Entitlements.MaySee(viewer, listing, versions));
        Assert.Equal(calls, versions.Select(v => Entitlements.MayCall(viewer, listing, v)));
    }

    /// <summary>Every combination there is, against the rule as it is written in words.</summary>
    [Fact]
    public void Nobody_but_the_owner_sees_more_than_the_rule_allows()
    {
        var seen = 0;
        foreach (var viewer in from id in new[] { EntitlementCase.Owner, EntitlementCase.Friend, EntitlementCase.Stranger } from clearance in Enum.GetValues<ClearanceLevel>() select new OrganisationFacts(id, clearance, true))
        {
            foreach (var listing in from audience in Enum.GetValues<AudienceKind>() from suspended in new[] { false, true } select new ListingFacts(EntitlementCase.Owner, true, suspended, audience, [EntitlementCase.Friend]))
            {
                foreach (var version in from state in Enum.GetValues<VersionState>() from level in Enum.GetValues<ClearanceLevel>() select new VersionFacts(state, level))
                {
                    var admitted = listing.Audience == AudienceKind.Public || (listing.Audience == AudienceKind.Organisations && viewer.Id == EntitlementCase.Friend);
                    var live = version.State is VersionState.Active or VersionState.Deprecated && !listing.Suspended;
                    var expected = viewer.Id == EntitlementCase.Owner || (live && admitted && version.Level <= viewer.Clearance);
                    Assert.Equal(expected, Entitlements.MaySee(viewer, listing, version));
                    Assert.True(expected || Entitlements.MayCall(viewer, listing, version) != CallVerdict.Allowed, "What is called is seen.");
                    seen += expected ? 1 : 0;
                }
            }
        }

        Assert.True(seen > 0);
    }
}
