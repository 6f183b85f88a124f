using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>Puts versions that wait into the queue, and takes those out that no longer do (withdrawn, or decided by what the queue never saw).</summary>
internal sealed class ApplyListingChanged(AdminDb db, IOptions<ApprovalOptions> options, TimeProvider time) : IEventHandler<ListingChanged>
{
    public async Task HandleAsync(ListingChanged data, EventContext context, CancellationToken cancellationToken)
    {
        var asked = data.Versions.Where(version => version.Approval is not null).ToList();
        if (asked.Count == 0)
        {
            return;
        }

        // Locked, so that a decision in this very moment is seen or waits.
        var known = await db.Approvals.FromSql($"SELECT * FROM approvals WHERE listing_id = {data.ListingId} FOR UPDATE").ToDictionaryAsync(approval => approval.Id, cancellationToken).ConfigureAwait(false);
        foreach (var version in asked)
        {
            var waits = version.Status == VersionStatus.PendingApproval;
            if (!known.TryGetValue(version.Approval!.ApprovalId, out var approval))
            {
                if (waits)
                {
                    db.Approvals.Add(Queue(data, version, version.Approval));
                }
            }
            else if (!waits && approval.Status == ApprovalStatus.Pending)
            {
                approval.Close(ApprovalStatus.Obsolete, null, "The version no longer waits for an approval.", time.GetUtcNow());
            }
        }
    }

    private Approval Queue(ListingChanged listing, PublishedVersion version, ApprovalRequest request) => new()
    {
        Id = request.ApprovalId,
        ListingId = listing.ListingId,
        VersionId = version.VersionId,
        OrganisationId = listing.OrganisationId,
        Provider = listing.Provider,
        Name = listing.Name,
        Version = version.Version,
        RequestedBy = request.RequestedBy,
        RequestedAt = request.RequestedAt,
        Reasons = [.. request.Reasons],
        Specification = version.Specification,
        ExpiresAt = request.RequestedAt + options.Value.ExpireAfter,
    };
}
