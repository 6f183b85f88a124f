using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>The lock under which an approval is closed, and the event that tells of it.</summary>
internal static class ApprovalEvents
{
    /// <summary>Who expired approvals are decided by.</summary>
    public const string System = "system";

    /// <summary>An approval is decided once: its only event is its first version.</summary>
    private const long DecidedVersion = 1;

    public static Task<Approval?> LockApprovalAsync(this AdminDb db, Guid id, CancellationToken cancellationToken) =>
        db.Approvals.FromSql($"SELECT * FROM approvals WHERE id = {id} FOR UPDATE").SingleOrDefaultAsync(cancellationToken);

    public static void AddDecision(this Outbox outbox, AdminDb db, Approval approval) => outbox.Add(
        db,
        approval.Id,
        DecidedVersion,
        new ApprovalDecided(
            approval.Id,
            approval.ListingId,
            approval.VersionId,
            approval.Status switch
            {
                ApprovalStatus.Approved => ApprovalDecision.Approved,
                ApprovalStatus.Rejected => ApprovalDecision.Rejected,
                ApprovalStatus.Expired => ApprovalDecision.Expired,
                _ => throw new InvalidOperationException($"The approval {approval.Id} is {approval.Status}: nothing was decided."),
            },
            approval.DecidedBy!,
            approval.DecisionReason!,
            approval.DecidedAt!.Value));

    public static string Word(ApprovalStatus status) => status switch
    {
        ApprovalStatus.Approved => "approved",
        ApprovalStatus.Rejected => "rejected",
        ApprovalStatus.Expired => "expired",
        ApprovalStatus.Obsolete => "obsolete",
        _ => "pending",
    };
}
