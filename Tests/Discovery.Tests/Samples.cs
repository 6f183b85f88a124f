using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Tests;

/// <summary>Listings as Publishing tells of them.</summary>
internal static class Samples
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static ServiceSpecification Specification(
        string description,
        string category = "other",
        string[]? tags = null,
        string level = "public",
        string[]? certifications = null,
        string[]? residency = null,
        decimal? perMillion = 1m,
        int? contextWindow = null,
        bool tools = false,
        decimal availability = 99.5m,
        int maxLatencyMs = 1_000) => new(
        description,
        category,
        tags ?? [],
        [new Capability("run", "Does what the service is for.", null)],
        new ServiceEndpoint("https://provider.example/v1?key=endpoint-secret", EndpointProtocol.OpenAi, EndpointAuthentication.ApiKey),
        new ModelFacts("model-1", contextWindow, null, ["text"], [category == "embeddings" ? "embedding" : "text"], tools, false, null),
        perMillion is { } price ? new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", price, null, null)]) : new ServicePricing(PricingModel.Free, "USD", []),
        new ServiceLevel(availability, maxLatencyMs, 30_000, SupportLevel.Basic),
        new ComplianceFacts(level, certifications ?? [], residency ?? ["DE"], true, false),
        "Documentation of it.",
        [],
        null);

    public static PublishedVersion Version(ServiceSpecification specification, VersionStatus status = VersionStatus.Active, string number = "1.0.0") => new(
        Guid.CreateVersion7(), number, status, specification, new ProtectedSecret("k", [1], "ciphertext-of-the-secret"u8.ToArray(), [3]), null, Start, null);

    public static ListingChanged Listing(Guid owner, string provider, string name, params PublishedVersion[] versions) => new(
        Guid.CreateVersion7(), owner, provider, name, false, new ListingVisibility(VisibilityKind.Public, []), "published", versions, Start, Start);
}
