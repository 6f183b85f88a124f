using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>An organisation as Identity last told of it.</summary>
internal sealed class OrganisationRow
{
    public Guid OrganisationId { get; init; }

    public required string Slug { get; set; }

    public required string Name { get; set; }

    public ClearanceLevel Clearance { get; set; }

    public required string Tier { get; set; }

    public bool Active { get; set; }

    /// <summary>Aggregate version of the event that this row is the effect of.</summary>
    public long Version { get; set; }
}

/// <summary>A listing as Publishing last told of it: everything that a detail page needs, and nothing that only a call needs.</summary>
internal sealed class ListingRow
{
    public Guid ListingId { get; init; }

    public Guid OrganisationId { get; set; }

    public required string Provider { get; set; }

    public required string Name { get; set; }

    public bool Suspended { get; set; }

    public AudienceKind Audience { get; set; }

    public required Guid[] Admitted { get; set; }

    public required IReadOnlyList<VersionDocument> Versions { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>Aggregate version of the event that this row is the effect of.</summary>
    public long Version { get; set; }
}

/// <summary>A version without what is nobody's business here: no secret, no address of the provider's endpoint, no approval.</summary>
internal sealed record VersionDocument(Guid VersionId, string Version, VersionStatus Status, ServiceSpecification Specification, DateTimeOffset? PublishedAt, DateTimeOffset? SunsetAt)
{
    public static VersionDocument Of(PublishedVersion version) => new(
        version.VersionId,
        version.Version,
        version.Status,
        version.Specification with { Endpoint = version.Specification.Endpoint with { Url = "" } },
        version.PublishedAt,
        version.SunsetAt);

    public VersionFacts Facts() => new(Enum.Parse<VersionState>(Status.ToString()), Enum.Parse<ClearanceLevel>(Specification.Compliance.Level, ignoreCase: true));
}

/// <summary>
/// The face that a listing shows to some: the one version that stands for it in search. Levels are per version, so what is shown depends on who looks;
/// there is one face for each range of clearances, and one for the owner (often one version is all of them).
/// A version that stands for its listing no more stays, marked as deleted, so that mirrors learn of it.
/// </summary>
internal sealed class FaceRow
{
    public Guid VersionId { get; init; }

    public Guid ListingId { get; init; }

    public bool Deleted { get; set; }

    public Guid OrganisationId { get; set; }

    public required string Provider { get; set; }

    public required string Name { get; set; }

    public bool Suspended { get; set; }

    public AudienceKind Audience { get; set; }

    public required Guid[] Admitted { get; set; }

    public VersionState State { get; set; }

    public ClearanceLevel Level { get; set; }

    /// <summary>The lowest clearance that is shown this face; null when it is for its owner only.</summary>
    public ClearanceLevel? ClearedFrom { get; set; }

    /// <summary>The highest clearance that is shown this face.</summary>
    public ClearanceLevel? ClearedTo { get; set; }

    public bool ForOwner { get; set; }

    public required VersionDocument Document { get; set; }

    public DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset ChangedAt { get; set; }

    public required string NameText { get; set; }

    public required string DescriptionText { get; set; }

    public required string TagsText { get; set; }

    public required string CapabilitiesText { get; set; }

    /// <summary>384 little-endian floats of length 1.</summary>
    public required byte[] Embedding { get; set; }

    /// <summary>SHA-256 of what was embedded and by what: says whether the embedding is still right.</summary>
    public required byte[] EmbeddingHash { get; set; }
}
