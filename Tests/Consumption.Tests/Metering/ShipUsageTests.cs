using System.Buffers;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;
using LlmMarketplace.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>The loop that ships an instance's log.</summary>
public sealed class ShipUsageTests(Marketplace marketplace) : IDisposable
{
    // A turn of the loop: may it register its log, as whom, may it report, as whom.
    private const int LooksOfATurn = 4;
    private readonly TestDirectory directory = new("shipped-usage-log");
    private readonly LapsingTime time = new();
    private readonly Guid organisation = Guid.CreateVersion7();

    [Fact]
    public async Task A_lease_that_runs_out_wherever_the_loop_looks_at_it_holds_up_doubles_and_loses_no_record()
    {
        var services = marketplace.Service.App.Services;
        var database = services.GetRequiredService<NpgsqlDataSource>();
        var options = Options.Create(new MeteringOptions { Heartbeat = TimeSpan.FromMilliseconds(50), ShipEvery = TimeSpan.FromMinutes(10), ShipBatch = 1 }); // A turn comes with each entry, and at no other time.
        using var lease = new InstanceLease(database, services.GetRequiredService<StackExchange.Redis.IConnectionMultiplexer>(), options, time, NullLogger<InstanceLease>.Instance);
        var (calls, counters) = (new OpenCalls(services.GetRequiredService<CallLimits>()), services.GetRequiredService<Counters>());
        using var ship = new ShipUsage(services.GetRequiredService<UsageStore>(), database, calls, new ReportCalls(database, calls, counters, lease), counters, lease, options, TimeProvider.System, NullLogger<ShipUsage>.Instance);
        using var folder = LogFolder.New(directory.Path, TimeProvider.System);
        using var log = new LogWriter(folder.Path, folder.Id, 0, new LogSize(64 * 1024, 8), NullLogger.Instance);
        using var stop = new CancellationTokenSource();
        await lease.StartAsync(CancellationToken.None);
        await lease.FirstLease;
        var shipping = time.WatchAsync(() => ship.RunAsync(log, folder, stop.Token));
        var admitted = new List<AdmissionRow>();

        for (var look = 1; look <= LooksOfATurn; look++)
        {
            time.Count();
            var call = Records.Admission(organisation, lease.InstanceId);
            admitted.Add(call);
            await AppendAsync(log, EntryKind.Intent, buffer => buffer.Write(call));
            await TurnsAsync(LooksOfATurn);
            Assert.True(ship.Knows(lease));

            time.LapseAt(look);
            await AppendAsync(log, EntryKind.Outcome, buffer => buffer.Write(Records.Of(call, output: 5, cost: 0.25m)));
            await TurnsAsync(Math.Max(look, 2)); // Not leased at the first look: the loop neither registers nor reports.
            Assert.False(ship.Knows(lease));
            time.GoOn();
            await Until.TrueAsync(() => lease.Leased);
            Assert.NotEqual(call.InstanceId, lease.InstanceId);
        }

        var last = Records.Admission(organisation, lease.InstanceId);
        admitted.Add(last);
        await AppendAsync(log, EntryKind.Intent, buffer => buffer.Write(last));
        await AppendAsync(log, EntryKind.Outcome, buffer => buffer.Write(Records.Of(last, output: 5, cost: 0.25m)));

        await Until.TrueAsync(async () => (await RecordsAsync()).Count == admitted.Count);
        await Until.TrueAsync(() => ship.Knows(lease));
        await stop.CancelAsync();
        await shipping;
        await lease.StopAsync(CancellationToken.None);
        var records = await RecordsAsync();
        Assert.All(admitted, call => Assert.Equal((RequestOutcome.Completed, 0.25m), (records[call.RequestId].Outcome, records[call.RequestId].Cost)));
        Assert.Equal(records.Values.Sum(record => record.Revision), await CountAsync("SELECT count(*) FROM messaging.outbox WHERE key = ANY ($1)", admitted.Select(call => call.RequestId).ToArray()));
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM admissions WHERE organisation_id = $1", organisation));

        // A turn is over when the loop has looked so often.
        Task TurnsAsync(int looks) => Until.TrueAsync(() => shipping.IsFaulted || time.Looks >= looks);
    }

    public void Dispose() => directory.Dispose();

    private static async Task AppendAsync(LogWriter log, EntryKind kind, Action<ArrayBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        write(buffer);
        await log.SyncAsync(log.Append(kind, buffer.WrittenSpan));
    }

    private async Task<Dictionary<Guid, UsageRecord>> RecordsAsync()
    {
        await using var scope = marketplace.Service.App.Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<ConsumptionDb>().Set<UsageRecord>().AsNoTracking().Where(record => record.OrganisationId == organisation).ToDictionaryAsync(record => record.RequestId);
    }

    private async Task<long> CountAsync(string sql, object value)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var count = database.CreateCommand(sql);
        count.Parameters.Add(new NpgsqlParameter { Value = value });
        return (long)(await count.ExecuteScalarAsync())!;
    }

    /// <summary>A clock that leaps beyond every lease when the one who is watched reads it for the so-manieth time; nobody is registered anew until it goes on.</summary>
    private sealed class LapsingTime : TimeProvider
    {
        private readonly AsyncLocal<bool> isWatched = new();
        private long ahead;
        private int looks;
        private int lapse;
        private volatile bool isHeld;

        public int Looks => Volatile.Read(ref looks);

        public Task WatchAsync(Func<Task> run)
        {
            isWatched.Value = true;
            var running = run();
            isWatched.Value = false;
            return running;
        }

        public void Count() => LapseAt(0);

        public void LapseAt(int look)
        {
            Volatile.Write(ref lapse, look);
            Volatile.Write(ref looks, 0);
        }

        public void GoOn() => isHeld = false;

        public override long GetTimestamp()
        {
            if (isWatched.Value && Interlocked.Increment(ref looks) == Volatile.Read(ref lapse))
            {
                isHeld = true;
                Interlocked.Add(ref ahead, TimestampFrequency * 3_600);
            }

            return base.GetTimestamp() + Interlocked.Read(ref ahead);
        }

        public override DateTimeOffset GetUtcNow() => isHeld ? throw new TimeoutException("Nobody is registered now.") : base.GetUtcNow();
    }
}
