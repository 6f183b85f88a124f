using System.Buffers;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// What is known of this instance's calls, first in its own log, then in PostgreSQL:
/// <code>
/// admitted ─► intent appended: outlives this process ──► forwarded          (synced while the provider works)
/// ended ────► outcome appended, synced: outlives the machine ──► last bytes leave, reservation given back
///               └─► <see cref="ShipUsage"/>: every 100 ms or 500 entries, one transaction: records, events, position
/// started ──► what earlier lives left is shipped (<see cref="ReplayLog"/>); what they left open is lost
/// </code>
/// PostgreSQL away: calls go on while the log has room. The log failed or full: no call is admitted, and those that are open are settled in PostgreSQL directly.
/// </summary>
internal sealed partial class AdmissionLog : BackgroundService, IAdmissionLog
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    private readonly MeteringOptions options;
    private readonly InstanceLease lease;
    private readonly OpenCalls calls;
    private readonly CallLimits limits;
    private readonly Counters counters;
    private readonly ReplayLog replay;
    private readonly ShipUsage ship;
    private readonly TimeProvider time;
    private readonly ILogger<AdmissionLog> logger;
    private readonly GroupCommit<UsageRecord, bool> direct;
    private LogFolder? folder;
    private volatile LogWriter? log;

    public AdmissionLog(
        IOptions<MeteringOptions> options, InstanceLease lease, OpenCalls calls, CallLimits limits, Counters counters, ReplayLog replay, ShipUsage ship, TimeProvider time, ILogger<AdmissionLog> logger)
    {
        (this.options, this.lease, this.calls, this.limits, this.counters, this.replay, this.ship, this.time, this.logger) = (options.Value, lease, calls, limits, counters, replay, ship, time, logger);
        counters.Established += calls.Reopen;
        direct = new(this.options.ShipBatch, ship.WriteDirectlyAsync);
    }

    public string? Closed =>
        log is not { } writer ? "What an earlier process left in the usage log is not shipped yet."
        : writer.Failure is not null ? "The usage log failed."
        : !writer.HasRoom ? "The usage log is full: its records cannot be shipped to the database."
        : !ship.Knows(lease) ? "This instance is not registered with its log yet."
        : null;

    public bool Admit(AdmissionRow admission)
    {
        if (Closed is { } reason)
        {
            limits.Settle(admission, tokens: 0, nanos: 0);
            throw new LogUnavailableException(reason, null);
        }

        var payload = new ArrayBufferWriter<byte>(512);
        payload.Write(admission);
        try
        {
            var noted = calls.TryOpen(admission, () => log!.Append(EntryKind.Intent, payload.WrittenSpan));
            if (noted)
            {
                log!.SyncSoon();
            }
            else
            {
                counters.Forget(admission.OrganisationId, admission.Generation);
            }

            return noted;
        }
        catch (LogUnavailableException)
        {
            limits.Settle(admission, tokens: 0, nanos: 0);
            throw;
        }
    }

    public async Task SettleAsync(Settlement settlement)
    {
        var shipped = false;
        try
        {
            var payload = new ArrayBufferWriter<byte>(1_024);
            payload.Write(settlement.Record);
            await log!.SyncAsync(log!.Append(EntryKind.Outcome, payload.WrittenSpan), here: true);
        }
        catch (LogUnavailableException unavailable)
        {
            Log.Directly(logger, settlement.Record.RequestId, unavailable);
            await direct.WriteAsync(settlement.Record);
            shipped = true;
        }

        calls.Settle(settlement, shipped);
    }

    /// <summary>The listener has closed by now: what is handed in is written before the process goes, and shipped as far as the host waits.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        direct.Complete();
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        log?.Dispose();
        folder?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // Opening the log reads and writes files.
        var settling = direct.RunAsync();
        try
        {
            if (await OpenAsync(stoppingToken) is { } opened)
            {
                await ship.RunAsync(opened, folder!, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped before the log was open.
        }

        await settling;
    }

    private async Task<LogWriter> OpenAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            try
            {
                var left = LogFolder.TakeAbandoned(options.LogDirectory);
                folder = left.Count > 0 ? left[0] : LogFolder.New(options.LogDirectory, time);
                var last = await replay.RunAsync(folder, stoppingToken);
                foreach (var other in left.Skip(1))
                {
                    await replay.RunAsync(other, stoppingToken);
                    other.Delete();
                }

                var writer = new LogWriter(folder.Path, folder.Id, last, new LogSize(options.LogSegmentBytes, options.LogSegments), logger);
                writer.Release(writer.SyncedEnd);
                log = writer;
                return writer;
            }
            catch (Exception away) when (away is IOException or UnauthorizedAccessException)
            {
                Log.NotOpen(logger, options.LogDirectory, away);
                folder?.Dispose();
                await Task.Delay(Again, time, stoppingToken);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5112, LogLevel.Error, "The outcome of call {Call} could not be kept in the usage log; it is written to the database directly.")]
        public static partial void Directly(ILogger logger, Guid call, Exception unavailable);

        [LoggerMessage(5113, LogLevel.Error, "The usage log in {Directory} could not be opened; no call is admitted, and it is tried again. Metering:LogDirectory must be a folder that this process can write to and that outlives it.")]
        public static partial void NotOpen(ILogger logger, string directory, Exception away);
    }
}
