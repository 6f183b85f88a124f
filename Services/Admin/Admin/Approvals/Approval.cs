using System.Text.Json.Serialization;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>A version that waits or waited for a person of the operator.</summary>
internal sealed class Approval
{
    /// <summary>Given by Publishing.</summary>
    public Guid Id { get; init; }

    public Guid ListingId { get; init; }

    public Guid VersionId { get; init; }

    public Guid OrganisationId { get; init; }

    public required string Provider { get; init; }

    public required string Name { get; init; }

    public required string Version { get; init; }

    public required string RequestedBy { get; init; }

    public DateTimeOffset RequestedAt { get; init; }

    /// <summary>Why it is required.</summary>
    public required List<string> Reasons { get; init; }

    /// <summary>What is under review; it cannot change meanwhile.</summary>
    public required ServiceSpecification Specification { get; init; }

    public ApprovalStatus Status { get; private set; }

    public DateTimeOffset ExpiresAt { get; init; }

    /// <summary>When it had waited for so long that somebody should look.</summary>
    public DateTimeOffset? EscalatedAt { get; set; }

    public string? DecidedBy { get; private set; }

    public string? DecisionReason { get; private set; }

    public DateTimeOffset? DecidedAt { get; private set; }

    /// <summary>Ends the waiting.</summary>
    /// <exception cref="InvalidOperationException">It has ended before: the caller should have looked.</exception>
    public void Close(ApprovalStatus status, string? by, string? reason, DateTimeOffset now)
    {
        if (Status != ApprovalStatus.Pending)
        {
            throw new InvalidOperationException($"The approval {Id} was {Status} before.");
        }

        (Status, DecidedBy, DecisionReason, DecidedAt) = (status, by, reason, now);
    }
}

/// <summary>Where an approval stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ApprovalStatus>))]
internal enum ApprovalStatus
{
    /// <summary>Waits.</summary>
    [JsonStringEnumMemberName("pending")] Pending,

    /// <summary>The version may be published.</summary>
    [JsonStringEnumMemberName("approved")] Approved,

    /// <summary>It may not.</summary>
    [JsonStringEnumMemberName("rejected")] Rejected,

    /// <summary>Nobody decided in time.</summary>
    [JsonStringEnumMemberName("expired")] Expired,

    /// <summary>The version no longer waits.</summary>
    [JsonStringEnumMemberName("obsolete")] Obsolete,
}
