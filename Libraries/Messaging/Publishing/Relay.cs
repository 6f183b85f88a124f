using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Publishing;

/// <summary>
/// The one relay of a service, however many instances run: it holds a session lock of the service's database on a connection of its own. Losing the connection loses the lock,
/// and whoever gets it next goes on from what is committed.
/// </summary>
internal sealed partial class Relay(
    NpgsqlDataSource database,
    Sequencer sequencer,
    Retention retention,
    IEventTransport transport,
    IEnumerable<PublishedEvent> published,
    IOptions<MessagingOptions> options,
    MessagingHealth health,
    TimeProvider time,
    ILogger<Relay> logger) : BackgroundService
{
    private const long RelayLock = 0x4C4C4D5F52454C41; // "LLM_RELA"
    private const string Part = "relay";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!published.Any())
        {
            return;
        }

        var backoff = new Backoff(time);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RelayAsync(backoff, stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed)
            {
                health.Waits(Part, failed.Message);
                if (backoff.IsFirst)
                {
                    Log.Waits(logger, failed);
                }

                await backoff.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task RelayAsync(Backoff backoff, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await sequencer.DeclareAsync(connection, cancellationToken).ConfigureAwait(false);
        while (!await TryLockAsync(connection, cancellationToken).ConfigureAwait(false))
        {
            health.Works(Part); // Another instance relays.
            await Task.Delay(options.Value.PollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            await HoldAsync(connection, backoff, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await GiveBackAsync(connection).ConfigureAwait(false);
        }
    }

    /// <summary>Relays for as long as it works; never returns.</summary>
    private async Task HoldAsync(NpgsqlConnection connection, Backoff backoff, CancellationToken cancellationToken)
    {
        // Should our machine vanish, the server finds out within 20 s, not after the two hours of its operating system, and the lock is free.
        await using (var listen = new NpgsqlCommand($"SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; LISTEN {MessagingSchema.Committed}", connection))
        {
            await listen.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }

        await transport.PrepareAsync(connection, cancellationToken).ConfigureAwait(false);
        Log.Relays(logger);
        while (true)
        {
            var sequenced = await sequencer.SequenceAsync(connection, options.Value.BatchSize, cancellationToken).ConfigureAwait(false);
            await transport.PublishAsync(connection, cancellationToken).ConfigureAwait(false);
            backoff.Reset();
            health.Works(Part);
            if (sequenced == 0)
            {
                await retention.SweepAsync(connection, cancellationToken).ConfigureAwait(false);
                await connection.WaitAsync(options.Value.PollInterval, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>A connection goes back to its pool as it is and is reset only when it is used again: until then it would keep the lock from every other instance.</summary>
    private static async Task GiveBackAsync(NpgsqlConnection connection)
    {
        try
        {
            await using var unlock = new NpgsqlCommand("SELECT pg_advisory_unlock_all()", connection) { CommandTimeout = 5 };
            await unlock.ExecuteNonQueryAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is NpgsqlException or InvalidOperationException)
        {
            // The session has ended, and its lock with it.
        }
    }

    private static async Task<bool> TryLockAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"SELECT pg_try_advisory_lock({RelayLock})", connection);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    private static partial class Log
    {
        [LoggerMessage(3001, LogLevel.Information, "This instance relays the service's events.")]
        public static partial void Relays(ILogger logger);

        [LoggerMessage(3002, LogLevel.Warning, "Events cannot be relayed now; they wait in the outbox and are tried again until it works.")]
        public static partial void Waits(ILogger logger, Exception failed);
    }
}
