using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>An approval in the queue.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="ListingId">The listing.</param>
/// <param name="VersionId">The version under review.</param>
/// <param name="OrganisationId">The provider's organisation.</param>
/// <param name="Provider">Its slug.</param>
/// <param name="Name">The listing's name.</param>
/// <param name="Version">SemVer.</param>
/// <param name="RequestedBy">Who submitted the version, and may not decide.</param>
/// <param name="RequestedAt">When.</param>
/// <param name="Reasons">Why an approval is required.</param>
/// <param name="Escalated">Whether it has waited too long.</param>
/// <param name="ExpiresAt">When it counts as refused.</param>
/// <param name="DecidedBy">Who decided.</param>
/// <param name="Reason">Why.</param>
/// <param name="DecidedAt">When.</param>
internal record ApprovalView(
    Guid Id,
    ApprovalStatus Status,
    Guid ListingId,
    Guid VersionId,
    Guid OrganisationId,
    string Provider,
    string Name,
    string Version,
    string RequestedBy,
    DateTimeOffset RequestedAt,
    IReadOnlyList<string> Reasons,
    bool Escalated,
    DateTimeOffset ExpiresAt,
    string? DecidedBy,
    string? Reason,
    DateTimeOffset? DecidedAt)
{
    protected ApprovalView(Approval approval)
        : this(
            approval.Id,
            approval.Status,
            approval.ListingId,
            approval.VersionId,
            approval.OrganisationId,
            approval.Provider,
            approval.Name,
            approval.Version,
            approval.RequestedBy,
            approval.RequestedAt,
            approval.Reasons,
            approval.EscalatedAt is not null,
            approval.ExpiresAt,
            approval.DecidedBy,
            approval.DecisionReason,
            approval.DecidedAt)
    {
    }

    public static ApprovalView Of(Approval approval) => new(approval);
}

/// <summary>An approval with what is under review.</summary>
internal sealed record ApprovalDetail : ApprovalView
{
    private ApprovalDetail(Approval approval)
        : base(approval)
    {
        Specification = approval.Specification;
    }

    /// <summary>What the provider declared.</summary>
    public ServiceSpecification Specification { get; }

    public static new ApprovalDetail Of(Approval approval) => new(approval);
}
