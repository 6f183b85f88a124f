using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Admin.Tests;

/// <summary>Listings as Publishing tells of them.</summary>
internal static class Listings
{
    /// <summary>One version, which waits for an approval.</summary>
    public static ListingChanged Waiting(string requestedBy, DateTimeOffset requestedAt)
    {
        var version = new PublishedVersion(
            Guid.CreateVersion7(),
            "1.0.0",
            VersionStatus.PendingApproval,
            Specification(),
            Secret: null,
            new ApprovalRequest(Guid.CreateVersion7(), requestedBy, requestedAt, ["compliance_level"]),
            PublishedAt: null,
            SunsetAt: null);
        return new(Guid.CreateVersion7(), Guid.CreateVersion7(), "acme", "chat", Suspended: false, new ListingVisibility(VisibilityKind.Public, []), "approval_requested", [version], requestedAt, requestedAt);
    }

    /// <summary>The same listing when its version stands elsewhere.</summary>
    public static ListingChanged Now(this ListingChanged listing, VersionStatus status, string cause) =>
        listing with { Cause = cause, Versions = [listing.Versions[0] with { Status = status }] };

    private static ServiceSpecification Specification() => new(
        "Answers questions.",
        "text-generation",
        ["chat"],
        [new Capability("chat", "Holds a conversation.", null)],
        new ServiceEndpoint("https://api.example.com/v1", EndpointProtocol.OpenAi, EndpointAuthentication.None),
        new ModelFacts("large", 128_000, 8_192, ["text"], ["text"], Tools: true, StructuredOutput: false, null),
        new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 2.50m, 10.00m, null)]),
        new ServiceLevel(99.9m, 3_000, 60_000, SupportLevel.Basic),
        new ComplianceFacts("confidential", [], ["DE"], Gdpr: true, Hipaa: false),
        null,
        [],
        null);
}
