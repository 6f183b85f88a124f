using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Ships what a dead process left in its log, and marks its instances as ended: whoever holds the folder knows that they are dead. What they left open is settled as lost by
/// <see cref="SweepLost"/>. Segments with damage are kept aside, in <c>DIR/quarantine</c>, and told; every whole entry in them counts.
/// </summary>
internal sealed partial class ReplayLog(UsageStore store, NpgsqlDataSource database, Counters counters, IOptions<MeteringOptions> options, TimeProvider time, ILogger<ReplayLog> logger)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    /// <summary>Ships a folder's log. Waits for a database that is away. Gives the last sequence in it.</summary>
    public async Task<long> RunAsync(LogFolder folder, CancellationToken cancellationToken)
    {
        var found = new List<Damage>();
        var position = await UntilDoneAsync(() => store.PositionAsync(folder.Id, cancellationToken), cancellationToken);
        var (entries, count, last) = (new UsageEntries(), 0, position);
        foreach (var entry in LogReader.Read(folder.Path, found))
        {
            last = Math.Max(last, entry.Sequence);
            if (entry.Sequence <= position)
            {
                continue;
            }

            entries.Add(entry);
            count++;
            if (entries.Count == options.Value.ShipBatch)
            {
                await ShipAsync(folder.Id, entries, cancellationToken);
                entries = new UsageEntries();
            }
        }

        if (entries.Count > 0)
        {
            await ShipAsync(folder.Id, entries, cancellationToken);
        }

        Tell(folder, found, position);
        var ended = await UntilDoneAsync(() => EndInstancesAsync(folder.Id, cancellationToken), cancellationToken);
        Log.Replayed(logger, folder.Path, count, ended);
        return last;
    }

    private Task<bool> ShipAsync(Guid log, UsageEntries entries, CancellationToken cancellationToken) => UntilDoneAsync(
        async () =>
        {
            foreach (var organisation in await store.WriteAsync(entries.ToBatch(log, _ => true), cancellationToken))
            {
                counters.RebuildSoon(organisation);
            }

            return true;
        },
        cancellationToken);

    private async Task<int> EndInstancesAsync(Guid log, CancellationToken cancellationToken)
    {
        await using var end = database.CreateCommand(
            "UPDATE instances SET ended_at = clock_timestamp() WHERE ended_at IS NULL AND instance_id IN (SELECT instance_id FROM instance_logs WHERE log_id = $1)");
        end.Parameters.Add(new NpgsqlParameter { Value = log });
        return await end.ExecuteNonQueryAsync(cancellationToken);
    }

    private void Tell(LogFolder folder, List<Damage> found, long position)
    {
        foreach (var segment in found.GroupBy(damage => damage.At.Segment))
        {
            var kept = Quarantine.Keep(options.Value.LogDirectory, folder, segment.Key);
            foreach (var damage in segment)
            {
                if (damage.Last)
                {
                    Log.Torn(logger, folder.Path, damage.At.Segment, damage.At.Offset, damage.Bytes, kept);
                }
                else
                {
                    Log.Damaged(logger, folder.Path, damage.At.Segment, damage.At.Offset, damage.Bytes, position, kept);
                }
            }
        }
    }

    private async Task<T> UntilDoneAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        for (var delay = options.Value.ShipEvery; ; delay = delay * 2 < LongestPause ? delay * 2 : LongestPause)
        {
            try
            {
                return await work();
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException)
            {
                Log.Waiting(logger, away);
                await Task.Delay(delay, time, cancellationToken);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5141, LogLevel.Information, "The usage log in {Folder} was read: {Entries} entries shipped, {Instances} earlier instances ended.")]
        public static partial void Replayed(ILogger logger, string folder, int entries, int instances);

        [LoggerMessage(5142, LogLevel.Warning, "The usage log in {Folder} ends in a torn write (segment {Segment}, byte {Offset}, {Bytes} bytes): nobody was told that it was kept, unless the disk lied. Kept as {Kept}.")]
        public static partial void Torn(ILogger logger, string folder, uint segment, long offset, long bytes, string kept);

        [LoggerMessage(5143, LogLevel.Critical, "The usage log in {Folder} is damaged (segment {Segment}, byte {Offset}, {Bytes} bytes): what stood there is gone, unless it was shipped before (entries up to {Position} were). Every whole entry around it counts. Check the disk; kept as {Kept}.")]
        public static partial void Damaged(ILogger logger, string folder, uint segment, long offset, long bytes, long position, string kept);

        [LoggerMessage(5144, LogLevel.Warning, "What an earlier process left in the usage log waits for the database; no call is admitted until it is shipped.")]
        public static partial void Waiting(ILogger logger, Exception away);
    }
}
