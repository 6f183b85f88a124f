using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Stops the calls before anything that they need is stopped, the listener included:
/// <code>
/// asked to stop ─► unready ── StopNotice ──► new calls: 503 ── DrainFor, or the last call ends ──► what still runs: told why, cut ── EndWithin ──► hung up on ─► the rest stops
/// </code>
/// Each call has its record and has given its reservation back before the usage log ships its last entries.
/// </summary>
internal sealed partial class StopCalls(RunningCalls calls, IOptions<CallOptions> options, TimeProvider time, ILogger<StopCalls> logger) : IHostedLifecycleService
{
    // For calls that are ended: for their record, and for telling their callers.
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(1.5);

    /// <summary>Why a call is not taken, or does not go on. Whoever comes again finds another instance, or this one started anew.</summary>
    public static readonly CallRefusal Stopping = new(CallFailure.Stopping, RetryAfter: TimeSpan.FromSeconds(1));

    /// <summary>How long it may take.</summary>
    public static TimeSpan Longest(CallOptions options) => options.StopNotice + options.DrainFor + (2 * EndWithin);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        calls.StopSoon();
        await Task.Delay(options.Value.StopNotice, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var none = calls.Close();
        if (await EndedAsync(none, options.Value.DrainFor, cancellationToken))
        {
            return;
        }

        Log.Ended(logger, calls.Count, options.Value.DrainFor);
        calls.End(Stopping);
        if (!await EndedAsync(none, EndWithin, CancellationToken.None))
        {
            calls.Abort();
            await EndedAsync(none, EndWithin, CancellationToken.None);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<bool> EndedAsync(Task none, TimeSpan within, CancellationToken cancellationToken)
    {
        await none.WaitAsync(within, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return none.IsCompleted;
    }

    private static partial class Log
    {
        [LoggerMessage(5002, LogLevel.Warning, "{Calls} calls still ran {DrainFor} after this instance was asked to stop; they are ended. Calls:DrainFor is how long they may run on.")]
        public static partial void Ended(ILogger logger, int calls, TimeSpan drainFor);
    }
}
