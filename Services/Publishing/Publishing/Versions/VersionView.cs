using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Approvals;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>A version as its provider and the operator see it. The credential is never shown.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="ListingId">Its listing.</param>
/// <param name="Version">SemVer.</param>
/// <param name="Status">Where it stands in its life.</param>
/// <param name="StatusReason">Why it was suspended, rejected or refused.</param>
/// <param name="HasSecret">Whether a credential is kept.</param>
/// <param name="Credentials">Which ones.</param>
/// <param name="OpenApiSha256">SHA-256 of the OpenAPI document.</param>
/// <param name="Declaration">As sent, without the credential.</param>
/// <param name="Issues">Why the last run refused it.</param>
/// <param name="Approval">The approval asked for.</param>
/// <param name="CreatedAt">When it was drafted.</param>
/// <param name="ChangedAt">When it changed last.</param>
/// <param name="PublishedAt">When it became active.</param>
/// <param name="SunsetAt">When it ends.</param>
internal sealed record VersionView(
    Guid Id,
    Guid ListingId,
    string Version,
    VersionStatus Status,
    string? StatusReason,
    bool HasSecret,
    IReadOnlyList<CredentialView> Credentials,
    string? OpenApiSha256,
    JsonElement Declaration,
    IReadOnlyList<Issue> Issues,
    ApprovalView? Approval,
    DateTimeOffset CreatedAt,
    DateTimeOffset ChangedAt,
    DateTimeOffset? PublishedAt,
    DateTimeOffset? SunsetAt)
{
    public static VersionView Of(Listing listing, ListingVersion version) => new(
        version.Id,
        listing.Id,
        version.Version,
        listing.StatusOf(version),
        listing.StatusOf(version) == version.Status ? version.StatusReason : listing.SuspensionReason,
        version.CredentialNames.Count > 0,
        CredentialView.Of(version),
        OpenApiRule.Sha256(version.OpenApi),
        Declare(version),
        version.Issues,
        ApprovalView.Of(version.Approval),
        version.CreatedAt,
        version.ChangedAt,
        version.PublishedAt,
        version.SunsetAt);

    private static JsonElement Declare(ListingVersion version)
    {
        var declaration = JsonNode.Parse(version.Document)!.AsObject();
        declaration["version"] = version.Version;
        declaration["openApi"] = version.OpenApi is null ? null : JsonNode.Parse(version.OpenApi);
        return JsonSerializer.SerializeToElement(declaration);
    }
}

/// <summary>A credential of a version; what it is itself is never shown.</summary>
/// <param name="Name">Unique within the version; <c>default</c> came as <c>endpoint.secret</c>.</param>
/// <param name="Endpoint">The only address that it is sent to; null: every address that has none of its own.</param>
/// <param name="ChangedAt">When it was given; null for <c>default</c>.</param>
internal sealed record CredentialView(string Name, string? Endpoint, DateTimeOffset? ChangedAt)
{
    public static IReadOnlyList<CredentialView> Of(ListingVersion version) =>
        [.. version.CredentialNames.Select(one => new CredentialView(one.Name, one.Endpoint, version.Credentials.FirstOrDefault(kept => kept.Name == one.Name)?.ChangedAt))];
}

/// <summary>An approval, as the provider sees it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="RequestedBy">Who submitted the version.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="Reasons">Why it is required.</param>
/// <param name="Decision">The outcome, or null.</param>
/// <param name="DecidedBy">Who decided.</param>
/// <param name="Reason">Why.</param>
/// <param name="DecidedAt">When.</param>
internal sealed record ApprovalView(
    Guid Id,
    string RequestedBy,
    DateTimeOffset RequestedAt,
    IReadOnlyList<string> Reasons,
    ApprovalDecision? Decision,
    string? DecidedBy,
    string? Reason,
    DateTimeOffset? DecidedAt)
{
    public static ApprovalView? Of(VersionApproval? approval) => approval is null
        ? null
        : new ApprovalView(approval.Id, approval.RequestedBy, approval.RequestedAt, approval.Reasons, approval.Decision, approval.DecidedBy, approval.DecisionReason, approval.DecidedAt);
}
