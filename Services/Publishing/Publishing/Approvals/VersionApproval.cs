using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Approvals;

/// <summary>The approval that a version waits or waited for, and what came of it.</summary>
internal sealed class VersionApproval
{
    public Guid Id { get; init; }

    public Guid VersionId { get; init; }

    public Guid RunId { get; init; }

    public required string RequestedBy { get; init; }

    public DateTimeOffset RequestedAt { get; init; }

    public required List<string> Reasons { get; init; }

    public ApprovalDecision? Decision { get; set; }

    public string? DecidedBy { get; set; }

    public string? DecisionReason { get; set; }

    public DateTimeOffset? DecidedAt { get; set; }

    public ApprovalRequest ToRequest() => new(Id, RequestedBy, RequestedAt, Reasons);
}
