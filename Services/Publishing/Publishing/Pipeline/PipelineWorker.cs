using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>Works runs off, several at once, in every instance.</summary>
internal sealed partial class PipelineWorker(PipelineEngine engine, PipelineLeases leases, PipelineSignal signal, ILogger<PipelineWorker> logger) : BackgroundService
{
    /// <summary>How many runs one instance works on at the same time.</summary>
    internal const int AtOnce = 4;

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => WorkAsync(stoppingToken)));

    private async Task WorkAsync(CancellationToken stopping)
    {
        await Task.Yield();
        while (!stopping.IsCancellationRequested)
        {
            var woken = signal.Next;
            try
            {
                if (await leases.ClaimAsync(stopping).ConfigureAwait(false) is { } run)
                {
                    await WorkOffAsync(run, stopping).ConfigureAwait(false);
                    continue;
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                // The database is away, most likely: what was begun goes on from its last stored state.
                Log.Failed(logger, failure);
            }

            await PipelineSignal.WaitAsync(woken, LookEvery, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WorkOffAsync(ClaimedRun run, CancellationToken stopping)
    {
        using var working = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var heart = BeatAsync(run, working);
        try
        {
            while (await engine.AdvanceAsync(run, working.Token).ConfigureAwait(false))
            {
                signal.Notify();
            }
        }
        catch (OperationCanceledException) when (working.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            Log.Lost(logger, run.Id);
        }
        finally
        {
            await working.CancelAsync().ConfigureAwait(false);
            await heart.ConfigureAwait(false);
            await leases.ReleaseAsync(run).ConfigureAwait(false);
            signal.Notify();
        }
    }

    /// <summary>Renews the lease until the work ends; ends the work when the lease is lost.</summary>
    private async Task BeatAsync(ClaimedRun run, CancellationTokenSource working)
    {
        try
        {
            using var beat = new PeriodicTimer(PipelineLeases.Duration / 4);
            while (await beat.WaitForNextTickAsync(working.Token).ConfigureAwait(false))
            {
                if (!await leases.RenewAsync(run, working.Token).ConfigureAwait(false))
                {
                    await working.CancelAsync().ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (working.IsCancellationRequested)
        {
            // The work has ended.
        }
        catch (Exception failure) when (failure is Npgsql.NpgsqlException or TimeoutException)
        {
            Log.Failed(logger, failure);
            await working.CancelAsync().ConfigureAwait(false);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(6001, LogLevel.Error, "Working on pipeline runs failed; it goes on from the last stored state.")]
        public static partial void Failed(ILogger logger, Exception failure);

        [LoggerMessage(6002, LogLevel.Warning, "The pipeline run {Run} was taken over by another instance.")]
        public static partial void Lost(ILogger logger, Guid run);
    }
}
