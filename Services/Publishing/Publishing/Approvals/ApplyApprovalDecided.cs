using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Pipeline;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Approvals;

/// <summary>Notes a decision and wakes the run that waits for it. The first decision counts; a version that was withdrawn meanwhile stays so.</summary>
internal sealed partial class ApplyApprovalDecided(PublishingDb db, TimeProvider time, ILogger<ApplyApprovalDecided> logger) : IEventHandler<ApprovalDecided>
{
    public async Task HandleAsync(ApprovalDecided data, EventContext context, CancellationToken cancellationToken)
    {
        await db.Database.ExecuteSqlAsync($"SELECT FROM listings WHERE id = {data.ListingId} FOR UPDATE", cancellationToken).ConfigureAwait(false);
        var approval = await db.Approvals.FindAsync([data.ApprovalId], cancellationToken).ConfigureAwait(false);
        var run = approval is null ? null : await db.Runs.SingleOrDefaultAsync(waiting => waiting.Id == approval.RunId, cancellationToken).ConfigureAwait(false);
        if (approval is not { Decision: null } || run is not { Status: RunStatus.Waiting })
        {
            Log.NotAwaited(logger, data.ApprovalId);
            return;
        }

        approval.Decision = data.Decision;
        approval.DecidedBy = data.DecidedBy;
        approval.DecisionReason = data.Reason;
        approval.DecidedAt = data.DecidedAt;
        run.Status = RunStatus.Running;
        run.DueAt = time.GetUtcNow();
    }

    private static partial class Log
    {
        [LoggerMessage(6021, LogLevel.Information, "The decision on the approval {Approval} is not awaited any more.")]
        public static partial void NotAwaited(ILogger logger, Guid approval);
    }
}
