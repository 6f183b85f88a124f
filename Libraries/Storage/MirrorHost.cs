using System.Data;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Storage;

/// <summary>Follows the mirrored tables, all on one connection.</summary>
/// <remarks>
/// Each look is one snapshot. It reads the rows whose <c>changed_in</c> is at least the <c>xmin</c> of the look before: every transaction that the look before could not see is
/// at least that (those below were over by then), so what commits late is read late, but read.
/// </remarks>
internal sealed partial class MirrorHost : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan Net = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);
    private readonly NpgsqlDataSource database;
    private readonly List<TableMirror> mirrors;
    private readonly TimeProvider time;
    private readonly ILogger<MirrorHost> logger;
    private long lastLook; // 0: none yet

    public MirrorHost(NpgsqlDataSource database, IEnumerable<TableMirror> mirrors, TimeProvider time, IMeterFactory meters, ILogger<MirrorHost> logger)
    {
        (this.database, this.mirrors, this.time, this.logger) = (database, [.. mirrors], time, logger);
        meters.Create("LlmMarketplace.Storage").CreateObservableGauge("marketplace.mirrors.age", () => Age?.TotalSeconds ?? 0, "s", "Since the tables in memory were last compared with the database.");
    }

    private TimeSpan? Age => Volatile.Read(ref lastLook) is var at and not 0 ? time.GetElapsedTime(at) : null;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Age switch
    {
        null => HealthCheckResult.Unhealthy("The projections are not warm yet."),
        { } age when age > Stale => HealthCheckResult.Degraded($"The projections are {age.TotalSeconds:F0} s behind: the database is away."),
        _ => HealthCheckResult.Healthy(),
    });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var wait = FirstWait;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(() => wait = FirstWait, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed)
            {
                if (wait == FirstWait)
                {
                    Log.Behind(logger, Age?.TotalSeconds, failed);
                }

                await Task.Delay(wait, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
            }
        }
    }

    private async Task FollowAsync(Action works, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (var listen = new NpgsqlCommand($"LISTEN {MirroredTables.Changed}", connection))
        {
            await listen.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        ulong? since = null; // A new connection may be to another server: begin anew.
        while (true)
        {
            since = await LookAsync(connection, since, cancellationToken).ConfigureAwait(false);
            works();
            await connection.WaitAsync(Net, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ulong> LookAsync(NpgsqlConnection connection, ulong? since, CancellationToken cancellationToken)
    {
        var read = new List<Action>(mirrors.Count);
        ulong xmin;
        await using (var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken).ConfigureAwait(false))
        {
            await using var batch = new NpgsqlBatch(connection, snapshot) { BatchCommands = { new("SELECT pg_snapshot_xmin(pg_current_snapshot())") } };
            foreach (var mirror in mirrors)
            {
                var select = new NpgsqlBatchCommand($"SELECT {mirror.Columns} FROM {mirror.Table}");
                if (since is { } from)
                {
                    select.CommandText += " WHERE changed_in >= $1";
                    select.Parameters.Add(new() { Value = from, NpgsqlDbType = NpgsqlDbType.Xid8 });
                }

                batch.BatchCommands.Add(select);
            }

            await using (var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                xmin = reader.GetFieldValue<ulong>(0);
                foreach (var mirror in mirrors)
                {
                    await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
                    read.Add(await mirror.ReadAsync(reader, since is null, cancellationToken).ConfigureAwait(false));
                }
            }

            await snapshot.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        foreach (var apply in read)
        {
            apply();
        }

        Volatile.Write(ref lastLook, time.GetTimestamp());
        mirrors.ForEach(mirror => mirror.WarmSource.TrySetResult());
        return xmin;
    }

    private static partial class Log
    {
        [LoggerMessage(2011, LogLevel.Warning, "The tables in memory cannot be compared with the database now (last look {Age} s ago); tried again until it works.")]
        public static partial void Behind(ILogger logger, double? age, Exception failed);
    }
}
