using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Ships the log to PostgreSQL, from the disk, so that what waits takes no memory; and reports this instance's calls when counters are built anew. Both by one loop: so a call is
/// never reported after its record was shipped.
/// </summary>
internal sealed partial class ShipUsage(
    UsageStore store, NpgsqlDataSource database, OpenCalls calls, ReportCalls report, Counters counters, InstanceLease lease, IOptions<MeteringOptions> options, TimeProvider time, ILogger<ShipUsage> logger)
    : IDisposable
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private readonly HashSet<Guid> knownAsOpen = [];
    private readonly SemaphoreSlim signal = new(0, 1);
    private Guid registered;

    /// <summary>Whether PostgreSQL knows which log the instance writes that holds the lease.</summary>
    public bool Knows(InstanceLease holder) => holder.Holds(registered);

    /// <summary>Ships until <paramref name="stoppingToken"/>, and then what is left, once.</summary>
    public async Task RunAsync(LogWriter log, LogFolder folder, CancellationToken stoppingToken)
    {
        using var tail = new LogTail(folder.Path, log.SyncedEnd, damage => Tell(folder, damage));
        var shipped = 0L;
        log.Advanced += () =>
        {
            if (log.SyncedSequence - Volatile.Read(ref shipped) >= options.Value.ShipBatch && signal.CurrentCount == 0)
            {
                signal.Release(); // This event is raised by one thread.
            }
        };
        var pause = options.Value.ShipEvery;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(pause, stoppingToken);
                await RegisterAsync(folder.Id, stoppingToken);
                while (tail.Position < log.SyncedEnd)
                {
                    Volatile.Write(ref shipped, await ShipAsync(tail, log, folder.Id, stoppingToken));
                    if (log.SyncedSequence - shipped < options.Value.ShipBatch)
                    {
                        break; // What came meanwhile waits for company: under load there is always some, and a transaction for a few costs nearly as much as one for all.
                    }
                }

                await report.RunAsync(knownAsOpen, stoppingToken);
                pause = options.Value.ShipEvery;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (NotLeasedException)
            {
                // The lease ran out on the way: what is reported is this instance's no more, and the next one's is nothing yet.
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException or LogUnavailableException or IOException)
            {
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
                Log.Later(logger, away);
            }
        }

        await ShipRestAsync(tail, log, folder.Id);
    }

    public void Dispose() => signal.Dispose();

    /// <summary>For outcomes that the log does not take: writes them, however long it takes.</summary>
    public async Task<IReadOnlyList<bool>> WriteDirectlyAsync(IReadOnlyList<UsageRecord> records)
    {
        for (var delay = options.Value.ShipEvery; ; delay = delay * 2 < LongestPause ? delay * 2 : LongestPause)
        {
            try
            {
                await WriteAsync(new UsageBatch(records, [], [.. records.Select(record => record.RequestId)], null), CancellationToken.None);
                return [.. records.Select(_ => true)];
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException)
            {
                Log.Later(logger, away);
                await Task.Delay(delay, time);
            }
        }
    }

    private async Task ShipRestAsync(LogTail tail, LogWriter log, Guid id)
    {
        try
        {
            while (tail.Position < log.SyncedEnd)
            {
                await ShipAsync(tail, log, id, CancellationToken.None);
            }
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or LogUnavailableException or IOException)
        {
            Log.Later(logger, away); // The next start ships it.
        }
    }

    private async Task<long> ShipAsync(LogTail tail, LogWriter log, Guid id, CancellationToken cancellationToken)
    {
        var before = tail.Position;
        var entries = new UsageEntries();
        try
        {
            tail.Read(log.SyncedEnd, options.Value.ShipBatch, entries.Add);
            if (entries.Count > 0)
            {
                await WriteAsync(entries.ToBatch(id, knownAsOpen.Contains), cancellationToken);
            }
        }
        catch
        {
            tail.Return(before);
            throw;
        }

        if (entries.Count > 0)
        {
            foreach (var record in entries.Records)
            {
                knownAsOpen.Remove(record.RequestId);
                calls.Shipped(record.OrganisationId, record.RequestId);
            }

            knownAsOpen.UnionWith(entries.Open.Keys);
        }

        log.Release(tail.Position);
        return entries.Last;
    }

    private void Tell(LogFolder folder, Damage damage) =>
        Log.Damaged(logger, folder.Path, damage.At.Segment, damage.At.Offset, damage.Bytes, Quarantine.Keep(options.Value.LogDirectory, folder, damage.At.Segment));

    private async Task WriteAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        foreach (var organisation in await store.WriteAsync(batch, cancellationToken))
        {
            counters.RebuildSoon(organisation);
        }
    }

    private async Task RegisterAsync(Guid log, CancellationToken cancellationToken)
    {
        if (!lease.Leased || lease.InstanceId is var instance && registered == instance)
        {
            return;
        }

        await using var note = database.CreateCommand("INSERT INTO instance_logs (instance_id, log_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        note.Parameters.Add(new NpgsqlParameter { Value = instance });
        note.Parameters.Add(new NpgsqlParameter { Value = log });
        await note.ExecuteNonQueryAsync(cancellationToken);
        registered = instance;
    }

    private static partial class Log
    {
        [LoggerMessage(5114, LogLevel.Warning, "Usage records wait in the log: they could not be shipped to the database now.")]
        public static partial void Later(ILogger logger, Exception away);

        [LoggerMessage(5116, LogLevel.Critical, "The usage log in {Folder} is damaged (segment {Segment}, byte {Offset}, {Bytes} bytes): what stood there is gone; calls whose outcome it was are settled as lost when this process has ended. Every whole entry around it counts. Check the disk; kept as {Kept}.")]
        public static partial void Damaged(ILogger logger, string folder, uint segment, long offset, long bytes, string kept);
    }
}
