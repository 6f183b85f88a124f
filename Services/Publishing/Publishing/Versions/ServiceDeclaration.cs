using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>The form of a declaration, for the API's document.</summary>
internal sealed record ServiceDeclaration(
    string Version,
    string Description,
    string Category,
    IReadOnlyList<string>? Tags,
    IReadOnlyList<Capability> Capabilities,
    DeclaredEndpoint Endpoint,
    ModelFacts Model,
    ServicePricing Pricing,
    ServiceLevel Sla,
    ComplianceFacts Compliance,
    string? Documentation,
    IReadOnlyList<ServiceExample>? Examples,
    JsonElement? OpenApi);

/// <summary>Where and how a service is called.</summary>
/// <param name="Url">Base address.</param>
/// <param name="Protocol">What it speaks.</param>
/// <param name="Authentication">How the marketplace proves itself.</param>
/// <param name="Secret">The credential; written, never read.</param>
/// <param name="Surfaces">What it serves: <c>chat.completions</c>, <c>responses</c> …; null: what protocol and category let expect.</param>
/// <param name="ApiVersion">Only for <c>azure-openai</c>.</param>
/// <param name="Weight">Share of calls beside the replicas; 1 unless said.</param>
/// <param name="Residency">Country code of where the first address is served.</param>
/// <param name="Replicas">The same service at other addresses.</param>
/// <param name="Timeouts">How long to wait for the provider, beside <c>sla.timeoutMs</c>.</param>
/// <param name="WhenCallerLeaves"><c>cancel</c> unless said: the provider is hung up on; <c>drain</c>: the answer is read to its end and charged.</param>
internal sealed record DeclaredEndpoint(
    string Url,
    EndpointProtocol Protocol,
    EndpointAuthentication Authentication,
    string? Secret,
    IReadOnlyList<string>? Surfaces,
    string? ApiVersion,
    int? Weight,
    string? Residency,
    IReadOnlyList<EndpointReplica>? Replicas,
    EndpointTimeouts? Timeouts,
    WhenCallerLeaves? WhenCallerLeaves);
