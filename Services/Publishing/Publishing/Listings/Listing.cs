using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Versions;

namespace LlmMarketplace.Publishing.Listings;

/// <summary>A service that a provider lists, with its versions: the aggregate whose changes others follow.</summary>
internal sealed class Listing
{
    public Guid Id { get; init; }

    public Guid OrganisationId { get; init; }

    /// <summary>The organisation's slug, which never changes.</summary>
    public required string Provider { get; init; }

    public required string Name { get; init; }

    public required ListingVisibility Visibility { get; set; }

    public bool Suspended { get; set; }

    /// <summary>Suspended by an administrator: only one may resume it.</summary>
    public bool SuspendedByOperator { get; set; }

    public string? SuspensionReason { get; set; }

    /// <summary>Grows by every change that others hear of; two changes at once cannot take the same number.</summary>
    public long Revision { get; set; }

    public required string CreatedBy { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset ChangedAt { get; set; }

    public List<ListingVersion> Versions { get; init; } = [];

    /// <summary>A version's status as others see it: suspending a listing suspends all of its versions that could be called.</summary>
    public VersionStatus StatusOf(ListingVersion version) =>
        Suspended && version.Status is (VersionStatus.Active or VersionStatus.Deprecated) ? VersionStatus.Suspended : version.Status;
}
