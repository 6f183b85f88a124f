using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Settles what dead instances left open: as <c>lost</c>, nothing charged. Dead is whose lock is free and who was silent for
/// <see cref="MeteringOptions.LostAfter"/>; a paused process keeps its lock, so it is never taken for dead.
/// </summary>
internal sealed partial class SweepLost(
    IServiceScopeFactory scopes, NpgsqlDataSource database, IAdmissionLog log, Counters counters, IOptions<MeteringOptions> options, TimeProvider time, ILogger<SweepLost> logger) : BackgroundService
{
    private const int MaxBatch = 500;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.LostAfter / 4, time);
        do
        {
            try
            {
                foreach (var dead in await DeclareDeadAsync(stoppingToken))
                {
                    await SettleAsync(dead, stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException or StackExchange.Redis.RedisException or StackExchange.Redis.RedisTimeoutException or NotLeasedException or InvalidOperationException)
            {
                Log.Later(logger, away);
            }
        }
        while (await WaitAsync(timer, stoppingToken));
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Marks silent instances whose lock is free as ended, and gives all that ended with something left to do.</summary>
    private async Task<List<Guid>> DeclareDeadAsync(CancellationToken cancellationToken)
    {
        await using var end = database.CreateCommand(
            """
            WITH silent AS MATERIALIZED (SELECT instance_id, lock_id FROM instances WHERE ended_at IS NULL AND seen_at < clock_timestamp() - $2),
                 dead AS MATERIALIZED (SELECT instance_id FROM silent WHERE pg_try_advisory_xact_lock($1, lock_id::int))
            UPDATE instances SET ended_at = clock_timestamp() FROM dead WHERE instances.instance_id = dead.instance_id AND seen_at < clock_timestamp() - $2
            """);
        end.Parameters.Add(new NpgsqlParameter { Value = InstanceLease.LockSpace });
        end.Parameters.Add(new NpgsqlParameter { Value = options.Value.LostAfter });
        await end.ExecuteNonQueryAsync(cancellationToken);

        await using var left = database.CreateCommand(
            """
            SELECT instance_id FROM instances WHERE ended_at IS NOT NULL
               AND (EXISTS (SELECT FROM admissions a WHERE a.instance_id = instances.instance_id) OR EXISTS (SELECT FROM instance_organisations o WHERE o.instance_id = instances.instance_id))
            """);
        var dead = new List<Guid>();
        await using var reader = await left.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            dead.Add(reader.GetGuid(0));
        }

        return dead;
    }

    private async Task SettleAsync(Guid instance, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<ConsumptionDb>();
        var settled = 0;
        while (true)
        {
            var open = await context.Set<AdmissionRow>().AsNoTracking().Where(row => row.InstanceId == instance).OrderBy(row => row.RequestId).Take(MaxBatch).ToListAsync(cancellationToken);
            if (open.Count == 0)
            {
                break;
            }

            await Task.WhenAll(open.Select(admission => log.SettleAsync(new Settlement(admission, Lost(admission)))));
            settled += open.Count;
        }

        // It may have reserved without noting the admission: only the sums know.
        var touched = await context.Set<InstanceOrganisation>().Where(pair => pair.InstanceId == instance).Select(pair => pair.OrganisationId).ToListAsync(cancellationToken);
        foreach (var organisation in touched)
        {
            await counters.RebuildAsync(organisation);
            await context.Set<InstanceOrganisation>().Where(pair => pair.InstanceId == instance && pair.OrganisationId == organisation).ExecuteDeleteAsync(cancellationToken);
        }

        Log.Swept(logger, instance, settled, touched.Count);
    }

    private UsageRecord Lost(AdmissionRow admission) => new()
    {
        RequestId = admission.RequestId,
        OrganisationId = admission.OrganisationId,
        KeyId = admission.KeyId,
        ListingId = admission.ListingId,
        VersionId = admission.VersionId,
        ProviderOrganisationId = admission.ProviderOrganisationId,
        Service = admission.Service,
        Operation = admission.Operation,
        Outcome = RequestOutcome.Lost,
        StatusCode = 0,
        InputTokens = 0,
        CachedInputTokens = 0,
        OutputTokens = 0,
        UsageCounted = false,
        Cost = 0,
        Currency = admission.Price.Currency,
        Nanos = 0,
        Streamed = admission.Streamed,
        AdmittedAt = admission.AdmittedAt,
        SettledAt = time.GetUtcNow(),
        LatencyMs = Math.Max(0, (time.GetUtcNow() - admission.AdmittedAt).TotalMilliseconds),
        FirstByteMs = null,
        Day = admission.Day,
        Attempts = [],
    };

    private static partial class Log
    {
        [LoggerMessage(5121, LogLevel.Warning, "Instance {Instance} died: {Calls} calls were settled as lost, and the counters of {Organisations} organisations built anew.")]
        public static partial void Swept(ILogger logger, Guid instance, int calls, int organisations);

        [LoggerMessage(5122, LogLevel.Warning, "What dead instances left open could not be settled now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
