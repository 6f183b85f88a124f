using System.Collections.Frozen;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>A listing as one face shows it, in memory.</summary>
internal sealed record Listing(
    Guid ListingId,
    ListingFacts Facts,
    VersionFacts VersionFacts,
    ClearanceLevel? ClearedFrom,
    ClearanceLevel? ClearedTo,
    bool ForOwner,
    string Provider,
    string Name,
    VersionDocument Document,
    DateTimeOffset CreatedAt,
    DateTimeOffset ChangedAt)
{
    public Guid VersionId => Document.VersionId;

    public ServiceSpecification Specification => Document.Specification;

    /// <summary>How it stands for the viewer: a suspended listing suspends what is live in it.</summary>
    public VersionState State => Facts.Suspended && VersionFacts.Live ? VersionState.Suspended : VersionFacts.State;

    /// <summary>Whether this is the face that the viewer is shown. The rule is the entitlement library's; ranges only choose among faces.</summary>
    public bool IsShownTo(Viewer viewer, bool ownerActive) => Facts.Owner == viewer.Organisation.Id
        ? ForOwner
        : ClearedFrom <= viewer.Organisation.Clearance && viewer.Organisation.Clearance <= ClearedTo
          && Entitlements.MaySeeVersion(viewer.Organisation, ownerActive ? Facts : Facts with { OwnerActive = false }, VersionFacts);

    public static ListingFacts FactsOf(Guid owner, bool suspended, AudienceKind audience, Guid[] admitted) => new(owner, OwnerActive: true, suspended, audience, admitted.ToFrozenSet());
}

/// <summary>Who looks.</summary>
/// <param name="Organisation">What decides about what is seen.</param>
/// <param name="Tier">What decides about prices: <c>basic</c>, <c>premium</c>, <c>enterprise</c>.</param>
internal sealed record Viewer(OrganisationFacts Organisation, string Tier);
