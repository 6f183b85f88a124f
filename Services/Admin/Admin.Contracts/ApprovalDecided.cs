using System.Text.Json.Serialization;

namespace LlmMarketplace.Admin.Contracts;

/// <summary>Events that Admin publishes.</summary>
public static class AdminEvents
{
    /// <summary>The service that owns the topics.</summary>
    public const string Producer = "admin";

    /// <summary>Topic, keyed by approval id.</summary>
    public const string Approvals = "marketplace.approvals";

    /// <summary>Type of <see cref="Contracts.ApprovalDecided"/>.</summary>
    public const string ApprovalDecided = "marketplace.approval.decided.v1";
}

/// <summary>An approval was decided, or ran out.</summary>
/// <param name="ApprovalId">The id that Publishing gave the request.</param>
/// <param name="ListingId">The listing.</param>
/// <param name="VersionId">The version that waits.</param>
/// <param name="Decision">The outcome.</param>
/// <param name="DecidedBy">Subject of the person who decided; <c>system</c> when it expired.</param>
/// <param name="Reason">Why, in the decider's words.</param>
/// <param name="DecidedAt">When.</param>
public sealed record ApprovalDecided(
    Guid ApprovalId,
    Guid ListingId,
    Guid VersionId,
    ApprovalDecision Decision,
    string DecidedBy,
    string Reason,
    DateTimeOffset DecidedAt);

/// <summary>Outcome of an approval.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ApprovalDecision>))]
public enum ApprovalDecision
{
    /// <summary>The version may be published.</summary>
    [JsonStringEnumMemberName("approved")] Approved,

    /// <summary>It may not.</summary>
    [JsonStringEnumMemberName("rejected")] Rejected,

    /// <summary>Nobody decided within 7 days; counts as a rejection.</summary>
    [JsonStringEnumMemberName("expired")] Expired,
}
