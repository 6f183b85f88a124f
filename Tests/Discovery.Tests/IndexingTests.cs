using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Tests;

public sealed class IndexingTests(EmptyShelf shelf) : IClassFixture<EmptyShelf>
{
    private readonly Catalogue catalogue = shelf.Catalogue;

    [Fact]
    public async Task A_state_older_than_the_known_one_is_ignored()
    {
        var listing = Samples.Listing(Catalogue.Provider, "old", "news", Samples.Version(Samples.Specification("Reports news of today.")));
        await catalogue.ApplyAsync<ListingChanged, ApplyListing>(listing, listing.ListingId, 5);
        foreach (var version in new[] { 4, 5 })
        {
            await catalogue.ApplyAsync<ListingChanged, ApplyListing>(listing with { Suspended = true }, listing.ListingId, version);
            Assert.Equal(["old/news"], await catalogue.SearchAsync("provider=old"));
        }

        await catalogue.ApplyAsync<ListingChanged, ApplyListing>(listing with { Suspended = true }, listing.ListingId, 6);
        Assert.Empty(await catalogue.SearchAsync("provider=old"));
    }

    [Fact]
    public void Each_clearance_is_shown_the_best_live_version_within_it()
    {
        var faces = Faces.Choose([
            Version("1.0.0", VersionStatus.Active, "public"),
            Version("1.1.0", VersionStatus.Deprecated, "public"),
            Version("2.0.0-rc.1", VersionStatus.Active, "internal"),
            Version("2.0.0", VersionStatus.Active, "confidential"),
            Version("1.10.0", VersionStatus.Active, "confidential"),
            Version("3.0.0", VersionStatus.PendingApproval, "public"),
        ]);
        Assert.Equal(
            [("1.0.0", ClearanceLevel.Public, ClearanceLevel.Public, false), ("2.0.0-rc.1", ClearanceLevel.Internal, ClearanceLevel.Internal, false), ("2.0.0", ClearanceLevel.Confidential, ClearanceLevel.Restricted, true)],
            faces.Select(f => (f.Version.Version, f.ClearedFrom!.Value, f.ClearedTo!.Value, f.ForOwner)));
    }

    [Fact]
    public void An_owner_is_shown_the_newest_version_when_none_is_live()
    {
        var face = Assert.Single(Faces.Choose([Version("1.0.0", VersionStatus.Retired, "public"), Version("1.10.0", VersionStatus.PendingApproval, "public"), Version("1.9.0", VersionStatus.Rejected, "public")]));
        Assert.Equal(("1.10.0", null, null, true), (face.Version.Version, face.ClearedFrom, face.ClearedTo, face.ForOwner));
    }

    private static VersionDocument Version(string number, VersionStatus status, string level) => VersionDocument.Of(Samples.Version(Samples.Specification("x", level: level), status, number));
}
