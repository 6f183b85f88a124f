using Microsoft.Extensions.Hosting;
using Npgsql;

namespace LlmMarketplace.Consumption;

/// <summary>Work that is done again and again while the process runs. What cannot be done because a server is away is told, and done at its next turn.</summary>
internal abstract class RecurringWork(TimeProvider time) : BackgroundService
{
    protected TimeProvider Time { get; } = time;

    /// <summary>From the beginning of one turn to the next.</summary>
    protected abstract TimeSpan Every { get; }

    /// <summary>Whether the first turn comes at the start, or only after the first pause.</summary>
    protected virtual bool BeginsAtOnce => true;

    /// <summary>Does it once.</summary>
    public abstract Task RunAsync(CancellationToken cancellationToken);

    /// <summary>Tells that it could not be done now.</summary>
    protected abstract void Later(Exception away);

    /// <summary>Whether a failure says that a server is away; any other one ends the process.</summary>
    protected virtual bool IsAway(Exception failure) => failure is NpgsqlException or TimeoutException;

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, Time);
        try
        {
            for (var isDue = BeginsAtOnce; isDue || await timer.WaitForNextTickAsync(stoppingToken); isDue = false)
            {
                try
                {
                    await RunAsync(stoppingToken);
                }
                catch (Exception away) when (IsAway(away))
                {
                    Later(away);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }
}
