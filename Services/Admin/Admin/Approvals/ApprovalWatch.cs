using LlmMarketplace.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>Points out approvals that wait for long, and refuses those that waited too long. Every instance may do it: the row is locked, and who comes second finds it done.</summary>
internal sealed partial class ApprovalWatch(
    IServiceScopeFactory scopes, IOptions<ApprovalOptions> options, ApprovalTelemetry telemetry, TimeProvider time, ILogger<ApprovalWatch> logger) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(LookEvery, time);
        do
        {
            try
            {
                await LookAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is DbUpdateException or Npgsql.NpgsqlException or InvalidOperationException or TimeoutException)
            {
                Log.Failed(logger, failure);
            }
        }
        while (await tick.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var late = now - options.Value.EscalateAfter;
        await using var looking = scopes.CreateAsyncScope();
        var due = await looking.ServiceProvider.GetRequiredService<AdminDb>().Approvals
            .Where(approval => approval.Status == ApprovalStatus.Pending && (approval.ExpiresAt <= now || (approval.EscalatedAt == null && approval.RequestedAt <= late)))
            .Select(approval => approval.Id)
            .ToListAsync(cancellationToken).ConfigureAwait(false);
        foreach (var id in due)
        {
            await TakeUpAsync(id, now, late, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task TakeUpAsync(Guid id, DateTimeOffset now, DateTimeOffset late, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<AdminDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        if (await db.LockApprovalAsync(id, cancellationToken).ConfigureAwait(false) is not { Status: ApprovalStatus.Pending } approval)
        {
            return;
        }

        var expires = approval.ExpiresAt <= now;
        var escalates = !expires && approval.EscalatedAt is null && approval.RequestedAt <= late;
        if (expires)
        {
            approval.Close(ApprovalStatus.Expired, ApprovalEvents.System, "Nobody decided in time.", now);
            scope.ServiceProvider.GetRequiredService<Outbox>().AddDecision(db, approval);
        }
        else if (escalates)
        {
            approval.EscalatedAt = now;
        }

        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (expires)
        {
            telemetry.Closed(ApprovalStatus.Expired);
            Log.Expired(logger, approval.Provider, approval.Name, approval.Version);
        }
        else if (escalates)
        {
            telemetry.Escalated();
            Log.Escalated(logger, approval.Provider, approval.Name, approval.Version, approval.RequestedAt);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4501, LogLevel.Warning, "The approval of {Provider}/{Name}@{Version} has waited since {RequestedAt}: somebody should decide.")]
        public static partial void Escalated(ILogger logger, string provider, string name, string version, DateTimeOffset requestedAt);

        [LoggerMessage(4002, LogLevel.Warning, "Nobody decided on {Provider}/{Name}@{Version} in time: its approval has expired.")]
        public static partial void Expired(ILogger logger, string provider, string name, string version);

        [LoggerMessage(4003, LogLevel.Error, "Looking for approvals that wait too long failed; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
