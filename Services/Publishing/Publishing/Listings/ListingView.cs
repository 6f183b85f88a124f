using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Listings;

/// <summary>A listing as its provider and the operator see it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="OrganisationId">The provider's organisation.</param>
/// <param name="Provider">Its slug.</param>
/// <param name="Name">With the slug the public name <c>provider/name</c>.</param>
/// <param name="Visibility">Who may see it.</param>
/// <param name="Suspended">Whether all of it is suspended.</param>
/// <param name="SuspensionReason">Why.</param>
/// <param name="Revision">Grows with every change.</param>
/// <param name="Versions">Oldest first.</param>
/// <param name="CreatedAt">When it was created.</param>
/// <param name="ChangedAt">When it changed last.</param>
internal sealed record ListingView(
    Guid Id,
    Guid OrganisationId,
    string Provider,
    string Name,
    ListingVisibility Visibility,
    bool Suspended,
    string? SuspensionReason,
    long Revision,
    IReadOnlyList<VersionSummary> Versions,
    DateTimeOffset CreatedAt,
    DateTimeOffset ChangedAt)
{
    public static ListingView Of(Listing listing) => new(
        listing.Id,
        listing.OrganisationId,
        listing.Provider,
        listing.Name,
        listing.Visibility,
        listing.Suspended,
        listing.SuspensionReason,
        listing.Revision,
        [.. listing.Versions.OrderBy(version => version.Id).Select(version => new VersionSummary(version.Id, version.Version, listing.StatusOf(version), version.PublishedAt, version.SunsetAt))],
        listing.CreatedAt,
        listing.ChangedAt);
}

/// <summary>A version in its listing.</summary>
internal sealed record VersionSummary(Guid Id, string Version, VersionStatus Status, DateTimeOffset? PublishedAt, DateTimeOffset? SunsetAt);
