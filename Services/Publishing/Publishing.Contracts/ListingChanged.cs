using System.Text.Json.Serialization;

namespace LlmMarketplace.Publishing.Contracts;

/// <summary>Events that Publishing publishes.</summary>
public static class PublishingEvents
{
    /// <summary>The service that owns the topics.</summary>
    public const string Producer = "publishing";

    /// <summary>Topic, keyed by listing id.</summary>
    public const string Services = "marketplace.services";

    /// <summary>Type of <see cref="Contracts.ListingChanged"/>.</summary>
    public const string ListingChanged = "marketplace.service.changed.v1";

    /// <summary>Topic, keyed by version id.</summary>
    public const string OpenApiDocuments = "marketplace.openapi-documents";

    /// <summary>Type of <see cref="Contracts.OpenApiDocumentPublished"/>.</summary>
    public const string OpenApiDocumentPublished = "marketplace.service.openapi_published.v1";
}

/// <summary>
/// A listing or one of its versions changed. Full state: every version that ever left the provider's desk
/// (pending approval and later); drafts stay private.
/// </summary>
/// <param name="ListingId">UUID v7.</param>
/// <param name="OrganisationId">The provider's organisation.</param>
/// <param name="Provider">The provider's slug; with <paramref name="Name"/> the listing's public name <c>provider/name</c>.</param>
/// <param name="Name">Unique within the provider: lower-case letters, digits, dots and hyphens.</param>
/// <param name="Suspended">True: all versions are suspended.</param>
/// <param name="Visibility">Who may see it.</param>
/// <param name="Cause">What happened: <c>published</c>, <c>approval_requested</c>, <c>rejected</c>, <c>deprecated</c>, <c>suspended</c>, <c>resumed</c>, <c>retired</c>, <c>visibility_changed</c>, <c>secret_rotated</c>, <c>credentials_changed</c>.</param>
/// <param name="Versions">The versions, oldest first.</param>
/// <param name="CreatedAt">When the listing was created.</param>
/// <param name="ChangedAt">When this change happened.</param>
public sealed record ListingChanged(
    Guid ListingId,
    Guid OrganisationId,
    string Provider,
    string Name,
    bool Suspended,
    ListingVisibility Visibility,
    string Cause,
    IReadOnlyList<PublishedVersion> Versions,
    DateTimeOffset CreatedAt,
    DateTimeOffset ChangedAt);

/// <summary>Who may see a listing besides its owner.</summary>
/// <param name="Kind">Which rule.</param>
/// <param name="Organisations">The organisations admitted when <paramref name="Kind"/> is <see cref="VisibilityKind.Organisations"/>; else empty.</param>
public sealed record ListingVisibility(VisibilityKind Kind, IReadOnlyList<Guid> Organisations);

/// <summary>Who may see a listing.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<VisibilityKind>))]
public enum VisibilityKind
{
    /// <summary>Every organisation.</summary>
    [JsonStringEnumMemberName("public")] Public,

    /// <summary>The listed organisations.</summary>
    [JsonStringEnumMemberName("organisations")] Organisations,

    /// <summary>Only the owner.</summary>
    [JsonStringEnumMemberName("private")] Private,
}

/// <summary>One version of a listing.</summary>
/// <param name="VersionId">UUID v7.</param>
/// <param name="Version">SemVer 2.0.0.</param>
/// <param name="Status">Where it stands in its life.</param>
/// <param name="Specification">What the provider declared.</param>
/// <param name="Secret">The provider's credential of the name <see cref="PublishedCredential.Default"/>, encrypted; null when the endpoint needs none, or has only others.</param>
/// <param name="Approval">The approval asked for; null when none was needed.</param>
/// <param name="PublishedAt">When it first became active.</param>
/// <param name="SunsetAt">When a deprecated version ends.</param>
/// <param name="Credentials">The provider's other credentials; null in events that are older than this member.</param>
public sealed record PublishedVersion(
    Guid VersionId,
    string Version,
    VersionStatus Status,
    ServiceSpecification Specification,
    ProtectedSecret? Secret,
    ApprovalRequest? Approval,
    DateTimeOffset? PublishedAt,
    DateTimeOffset? SunsetAt,
    IReadOnlyList<PublishedCredential>? Credentials = null);

/// <summary>An approval that a version waits or waited for.</summary>
/// <param name="ApprovalId">UUID v7, given by Publishing.</param>
/// <param name="RequestedBy">Subject who submitted the version; may never decide it.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="Reasons">Why approval is required: <c>compliance_level</c>, <c>enterprise_support</c>, <c>policy</c>.</param>
public sealed record ApprovalRequest(Guid ApprovalId, string RequestedBy, DateTimeOffset RequestedAt, IReadOnlyList<string> Reasons);

/// <summary>
/// The life of a version: draft → validating → pending_approval → active → deprecated → retired; also validating →
/// failed_validation, pending_approval → rejected, active|deprecated ⇄ suspended, suspended → retired. Retired is final.
/// </summary>
[JsonConverter(typeof(JsonStringEnumConverter<VersionStatus>))]
public enum VersionStatus
{
    /// <summary>Being written.</summary>
    [JsonStringEnumMemberName("draft")] Draft,

    /// <summary>In the pipeline.</summary>
    [JsonStringEnumMemberName("validating")] Validating,

    /// <summary>Refused by the pipeline.</summary>
    [JsonStringEnumMemberName("failed_validation")] FailedValidation,

    /// <summary>Waits for a person.</summary>
    [JsonStringEnumMemberName("pending_approval")] PendingApproval,

    /// <summary>Refused by a person.</summary>
    [JsonStringEnumMemberName("rejected")] Rejected,

    /// <summary>Callable.</summary>
    [JsonStringEnumMemberName("active")] Active,

    /// <summary>Callable until its sunset.</summary>
    [JsonStringEnumMemberName("deprecated")] Deprecated,

    /// <summary>Not callable for now.</summary>
    [JsonStringEnumMemberName("suspended")] Suspended,

    /// <summary>Never callable again.</summary>
    [JsonStringEnumMemberName("retired")] Retired,
}
