using System.Text.Json.Serialization;

namespace LlmMarketplace.Identity.Contracts;

/// <summary>Events that Identity publishes.</summary>
public static class IdentityEvents
{
    /// <summary>The service that owns the topics.</summary>
    public const string Producer = "identity";

    /// <summary>Topic, keyed by organisation id.</summary>
    public const string Organisations = "marketplace.organisations";

    /// <summary>Type of <see cref="Contracts.OrganisationChanged"/>.</summary>
    public const string OrganisationChanged = "marketplace.organisation.changed.v1";
}

/// <summary>An organisation came to be or changed. Full state.</summary>
/// <param name="OrganisationId">UUID v7.</param>
/// <param name="Slug">Immutable name in addresses: lower-case letters, digits and hyphens, 2 to 40 characters.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Clearance">The highest compliance level of listings that it may see and call.</param>
/// <param name="Tier">Decides rate limits and the monthly quota.</param>
/// <param name="Status">A suspended organisation's keys are refused and its listings are not callable.</param>
/// <param name="IsOperator">True for the organisation that runs the marketplace.</param>
public sealed record OrganisationChanged(
    Guid OrganisationId,
    string Slug,
    string Name,
    ComplianceLevel Clearance,
    OrganisationTier Tier,
    OrganisationStatus Status,
    bool IsOperator);

/// <summary>How confidential a listing is, and how far an organisation is cleared, lowest first.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ComplianceLevel>))]
public enum ComplianceLevel
{
    /// <summary>For everybody.</summary>
    [JsonStringEnumMemberName("public")] Public,

    /// <summary>For internal use.</summary>
    [JsonStringEnumMemberName("internal")] Internal,

    /// <summary>Confidential.</summary>
    [JsonStringEnumMemberName("confidential")] Confidential,

    /// <summary>Restricted.</summary>
    [JsonStringEnumMemberName("restricted")] Restricted,
}

/// <summary>Tier of an organisation: basic 10 requests/s (burst 20), 100 k tokens a month; premium 100 (200), 10 M; enterprise 1 000 (2 000), 1 B.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OrganisationTier>))]
public enum OrganisationTier
{
    /// <summary>Basic.</summary>
    [JsonStringEnumMemberName("basic")] Basic,

    /// <summary>Premium.</summary>
    [JsonStringEnumMemberName("premium")] Premium,

    /// <summary>Enterprise.</summary>
    [JsonStringEnumMemberName("enterprise")] Enterprise,
}

/// <summary>Whether an organisation may act.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OrganisationStatus>))]
public enum OrganisationStatus
{
    /// <summary>May act.</summary>
    [JsonStringEnumMemberName("active")] Active,

    /// <summary>May not.</summary>
    [JsonStringEnumMemberName("suspended")] Suspended,
}
