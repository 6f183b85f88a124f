using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Declares instances ended that neither PostgreSQL nor Redis heard of for <see cref="MeteringOptions.LostAfter"/>, by this process's own clock and only while it could look at both;
/// and settles what ended instances left open: as <c>lost</c>, nothing charged. If an outcome comes after all, from the instance's log, it corrects the record. Counters that they left
/// unfinished are built anew.
/// </summary>
internal sealed partial class SweepLost(
    IServiceScopeFactory scopes, NpgsqlDataSource database, IConnectionMultiplexer redis, UsageStore store, Counters counters, IOptions<MeteringOptions> options, TimeProvider time, ILogger<SweepLost> logger)
    : BackgroundService
{
    private const int MaxBatch = 500;

    // Unless it beat since.
    private const string End = "local beat = redis.call('GET', KEYS[1]) if beat and beat ~= ARGV[1] then return 0 end redis.call('SET', KEYS[2], '1', 'PX', 86400000) return 1";

    private readonly Dictionary<Guid, Sight> sights = [];

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        RepeatAsync(DeclareAsync, stoppingToken),
        RepeatAsync(counters.FinishAsync, stoppingToken),
        RepeatAsync(SettleAllAsync, stoppingToken)); // Apart, for settling waits for counters, and they wait for instances that are dead until they are declared so.

    private async Task RepeatAsync(Func<CancellationToken, Task> workAsync, CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.LostAfter / 8, time);
        try
        {
            do
            {
                try
                {
                    await workAsync(stoppingToken);
                }
                catch (Exception away) when (away is NpgsqlException or TimeoutException or RedisException or NotLeasedException or InvalidOperationException)
                {
                    Log.Later(logger, away);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task DeclareAsync(CancellationToken cancellationToken)
    {
        List<(Guid Instance, DateTimeOffset Seen)> living;
        RedisValue[] beats;
        try
        {
            living = await LivingAsync(cancellationToken);
            beats = living.Count == 0 ? [] : await Task.WhenAll(living.Select(pair => redis.GetDatabase().StringGetAsync(InstanceLease.BeatKeyOf(pair.Instance)))).WaitAsync(options.Value.LongestBeat, time, cancellationToken);
        }
        catch
        {
            sights.Clear(); // Whoever was heard of meanwhile was not heard by us.
            throw;
        }

        var now = time.GetTimestamp();
        foreach (var gone in sights.Keys.Except(living.Select(pair => pair.Instance)).ToList())
        {
            sights.Remove(gone);
        }

        for (var i = 0; i < living.Count; i++)
        {
            var (instance, seen) = living[i];
            var beat = beats[i].ToString();
            if (!sights.TryGetValue(instance, out var sight) || sight.Seen != seen || sight.Beat != beat)
            {
                sights[instance] = new Sight(seen, beat, now);
            }
            else if (time.GetElapsedTime(sight.Since, now) >= options.Value.LostAfter)
            {
                await DeclareEndedAsync(instance, sight, cancellationToken);
            }
        }
    }

    private async Task<List<(Guid Instance, DateTimeOffset Seen)>> LivingAsync(CancellationToken cancellationToken)
    {
        await using var find = database.CreateCommand("SELECT instance_id, seen_at FROM instances WHERE ended_at IS NULL");
        var living = new List<(Guid, DateTimeOffset)>();
        await using var reader = await find.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            living.Add((reader.GetGuid(0), reader.GetFieldValue<DateTimeOffset>(1)));
        }

        return living;
    }

    private async Task DeclareEndedAsync(Guid instance, Sight sight, CancellationToken cancellationToken)
    {
        if ((int)await redis.GetDatabase().ScriptEvaluateAsync(End, [InstanceLease.BeatKeyOf(instance), InstanceLease.EndedKeyOf(instance)], [sight.Beat]) == 0)
        {
            return;
        }

        await using var end = database.CreateCommand("UPDATE instances SET ended_at = clock_timestamp() WHERE instance_id = $1 AND ended_at IS NULL AND seen_at = $2");
        end.Parameters.Add(new NpgsqlParameter { Value = instance });
        end.Parameters.Add(new NpgsqlParameter { Value = sight.Seen.UtcDateTime });
        if (await end.ExecuteNonQueryAsync(cancellationToken) == 1)
        {
            Log.Ended(logger, instance);
        }
    }

    private async Task SettleAllAsync(CancellationToken cancellationToken)
    {
        await using var left = database.CreateCommand(
            """
            SELECT instance_id FROM instances WHERE ended_at IS NOT NULL
               AND (EXISTS (SELECT FROM admissions a WHERE a.instance_id = instances.instance_id) OR EXISTS (SELECT FROM instance_organisations o WHERE o.instance_id = instances.instance_id))
            """);
        var ended = new List<Guid>();
        await using (var reader = await left.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                ended.Add(reader.GetGuid(0));
            }
        }

        foreach (var instance in ended)
        {
            await SettleAsync(instance, cancellationToken);
        }
    }

    private async Task SettleAsync(Guid instance, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<ConsumptionDb>();
        var settled = 0;
        var touched = new HashSet<Guid>();
        while (true)
        {
            var open = await context.Set<AdmissionRow>().AsNoTracking().Where(row => row.InstanceId == instance).OrderBy(row => row.RequestId).Take(MaxBatch).ToListAsync(cancellationToken);
            if (open.Count == 0)
            {
                break;
            }

            // A log that is replayed late tells calls when the instance's counters were built already; whoever built them since took these calls for open.
            touched.UnionWith(open.Select(admission => admission.OrganisationId));
            await InstanceOrganisation.NoteAsync(database, instance, touched, cancellationToken); // Another sweeper builds their counters if we die before.
            await store.WriteAsync(new UsageBatch([.. open.Select(Lost)], [], [.. open.Select(admission => admission.RequestId)], null), cancellationToken);
            settled += open.Count;
        }

        // What it reserved without telling is known to nobody: only the sums are true.
        touched.UnionWith(await context.Set<InstanceOrganisation>().Where(pair => pair.InstanceId == instance).Select(pair => pair.OrganisationId).ToListAsync(cancellationToken));
        foreach (var organisation in touched)
        {
            await counters.RebuildAsync(organisation, cancellationToken);
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
        ServiceVersion = admission.ServiceVersion,
        Operation = admission.Operation,
        Outcome = RequestOutcome.Lost,
        StatusCode = 0,
        InputTokens = 0,
        CachedInputTokens = 0,
        OutputTokens = 0,
        UsageCounted = false,
        Cost = 0,
        Currency = admission.Currency,
        Nanos = 0,
        Streamed = admission.Streamed,
        AdmittedAt = admission.AdmittedAt,
        SettledAt = time.GetUtcNow(),
        LatencyMs = Math.Max(0, (time.GetUtcNow() - admission.AdmittedAt).TotalMilliseconds),
        FirstByteMs = null,
        Day = admission.Day,
        EndUser = admission.EndUser,
        Tags = admission.Tags,
        Attempts = [],
    };

    /// <summary>What was last heard of an instance, and since when it has been so.</summary>
    private sealed record Sight(DateTimeOffset Seen, string Beat, long Since);

    private static partial class Log
    {
        [LoggerMessage(5121, LogLevel.Warning, "Instance {Instance} died: {Calls} calls were settled as lost, and the counters of {Organisations} organisations built anew.")]
        public static partial void Swept(ILogger logger, Guid instance, int calls, int organisations);

        [LoggerMessage(5122, LogLevel.Warning, "What dead instances left open could not be settled now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);

        [LoggerMessage(5123, LogLevel.Warning, "Instance {Instance} was not heard of for too long and is declared ended.")]
        public static partial void Ended(ILogger logger, Guid instance);
    }
}
