using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>A provider as the catalogue shows it.</summary>
/// <param name="Slug">First half of a service's name.</param>
/// <param name="Name">For people; the slug until Identity told of it.</param>
internal sealed record ProviderSummary(string Slug, string Name);

/// <summary>A listing in a list, as the caller sees it.</summary>
/// <param name="Id">The listing.</param>
/// <param name="Name">What a call puts in <c>model</c>: <c>provider/service</c>.</param>
/// <param name="Provider">Who offers it.</param>
/// <param name="Version">The version that stands for it.</param>
/// <param name="Status">How that stands.</param>
/// <param name="Description">What it is.</param>
/// <param name="Category">Its category.</param>
/// <param name="Tags">Its tags.</param>
/// <param name="Capabilities">Names of what it can do.</param>
/// <param name="Protocol">What calls speak.</param>
/// <param name="Model">Facts of the model.</param>
/// <param name="Price">What it costs the caller.</param>
/// <param name="Sla">What the provider promises.</param>
/// <param name="Compliance">Compliance facts.</param>
/// <param name="PublishedAt">When the version first became active.</param>
/// <param name="SunsetAt">When a deprecated version ends.</param>
/// <param name="CreatedAt">When the listing was created.</param>
internal record ListingSummary(
    Guid Id,
    string Name,
    ProviderSummary Provider,
    string Version,
    VersionState Status,
    string Description,
    string Category,
    IReadOnlyList<string> Tags,
    IReadOnlyList<string> Capabilities,
    EndpointProtocol Protocol,
    ModelFacts Model,
    ViewerPrice Price,
    ServiceLevel Sla,
    ComplianceFacts Compliance,
    DateTimeOffset? PublishedAt,
    DateTimeOffset? SunsetAt,
    DateTimeOffset CreatedAt)
{
    public static ListingSummary Of(Listing listing, Viewer viewer, OrganisationMirror organisations) => new(
        listing.ListingId,
        $"{listing.Provider}/{listing.Name}",
        new ProviderSummary(listing.Provider, organisations.Find(listing.Facts.Owner)?.Name ?? listing.Provider),
        listing.Document.Version,
        listing.State,
        listing.Specification.Description,
        listing.Specification.Category,
        listing.Specification.Tags,
        [.. listing.Specification.Capabilities.Select(c => c.Name)],
        listing.Specification.Endpoint.Protocol,
        listing.Specification.Model,
        Prices.For(listing.Specification.Pricing, viewer.Tier),
        listing.Specification.Sla,
        listing.Specification.Compliance,
        listing.Document.PublishedAt,
        listing.Document.SunsetAt,
        listing.CreatedAt);
}
