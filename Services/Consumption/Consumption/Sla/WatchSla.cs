using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Webhooks;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>
/// Compares what was observed with what was promised, and notes when a promise is no longer kept, and when it is kept again, each with its event:
/// <code>
/// records ─► figures by 10 s and by day (<see cref="CountForSla"/>) ─► one instance at a time ─► kept and open: ends │ not kept and not open: starts │ not kept and open: the worst is kept
/// </code>
/// What is open stands in the database, so neither another instance nor another start tells it twice.
/// </summary>
internal sealed partial class WatchSla(IServiceScopeFactory scopes, IOptions<SlaOptions> options, TimeProvider time, ILogger<WatchSla> logger) : RecurringWork(time)
{
    /// <summary>The advisory lock that only one instance holds while it looks.</summary>
    internal const long Turn = 0x4C4C_4D53_4C41;
    private static readonly TimeSpan IntervalsKeptFor = TimeSpan.FromHours(2);

    protected override TimeSpan Every => options.Value.Every;

    protected override bool BeginsAtOnce => false;

    /// <summary>Looks once; nothing happens when another instance does.</summary>
    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<ConsumptionDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (!(await db.Database.SqlQuery<bool>($"SELECT pg_try_advisory_xact_lock({Turn}) AS \"Value\"").ToListAsync(cancellationToken)).Single())
        {
            return; // Another instance looks.
        }

        var now = Time.GetUtcNow();
        var open = await db.Set<SlaViolation>().Where(violation => violation.EndedAt == null).ToDictionaryAsync(violation => (violation.VersionId, violation.Metric), cancellationToken);
        var outbox = scope.ServiceProvider.GetRequiredService<Outbox>();
        foreach (var (listing, version, promise) in await ObserveSla.RunAsync(db, options.Value, now, ObserveSla.Whose.OfAllWhoMayFail, cancellationToken))
        {
            if (promise.IsKept)
            {
                continue; // If it was not, it ends below.
            }

            if (open.Remove((version.VersionId, promise.Metric), out var known))
            {
                GoesOn(known, promise);
            }
            else
            {
                db.Add(Start(listing, version, promise, now));
            }
        }

        foreach (var kept in open.Values)
        {
            (kept.EndedAt, kept.Revision) = (now, kept.Revision + 1);
        }

        var messages = new List<(Guid Organisation, EventMessage Message)>();
        foreach (var told in db.ChangeTracker.Entries<SlaViolation>().Where(entry => entry.State == EntityState.Added || entry.Property(violation => violation.Revision).IsModified).Select(entry => entry.Entity).ToList())
        {
            messages.Add((told.ProviderOrganisationId, outbox.Add(db, told.ProviderOrganisationId, told.Revision, told.ToEvent())));
            Log.Changed(logger, told.Service, told.Version, told.Metric, told.Severity, told.Promised, told.Observed, told.EndedAt);
        }

        await db.SaveChangesAsync(cancellationToken);
        await QueueDeliveries.RunAsync((NpgsqlConnection)db.Database.GetDbConnection(), messages, now, cancellationToken);
        var old = now - IntervalsKeptFor;
        await db.Set<SlaInterval>().Where(interval => interval.Start < old).ExecuteDeleteAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static SlaViolation Start(ListingChanged listing, PublishedVersion version, SlaPromise promise, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        ListingId = listing.ListingId,
        VersionId = version.VersionId,
        ProviderOrganisationId = listing.OrganisationId,
        Service = $"{listing.Provider}/{listing.Name}",
        Version = version.Version,
        Metric = promise.Metric,
        Severity = promise.Severity,
        Promised = promise.Promised,
        Observed = promise.Observed,
        Calls = promise.Calls,
        Failures = promise.Failures,
        StartedAt = now,
    };

    private static void GoesOn(SlaViolation known, SlaPromise promise)
    {
        if (known.IsWorse(promise.Observed))
        {
            (known.Observed, known.Calls, known.Failures) = (promise.Observed, promise.Calls, promise.Failures);
        }

        if (promise.Severity > known.Severity)
        {
            (known.Severity, known.Revision) = (promise.Severity, known.Revision + 1);
        }
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    protected override bool IsAway(Exception failure) => failure is DbUpdateException or InvalidOperationException { InnerException: NpgsqlException } || base.IsAway(failure);

    private static partial class Log
    {
        [LoggerMessage(5401, LogLevel.Warning, "{Service}@{Version}: {Metric} ({Severity}), promised {Promised}, observed {Observed}, ended {EndedAt}.")]
        public static partial void Changed(ILogger logger, string service, string version, SlaMetric metric, SlaSeverity severity, decimal promised, decimal observed, DateTimeOffset? endedAt);

        [LoggerMessage(5402, LogLevel.Warning, "What providers promised could not be compared with what was observed now.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
