using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Feed;

/// <summary>Wakes the long polls of this instance when the relay, wherever it runs, has numbered events. When it cannot listen, the polls look for themselves.</summary>
internal sealed partial class FeedSignal(NpgsqlDataSource database, IEnumerable<PublishedEvent> published, IOptions<MessagingOptions> options, TimeProvider time, ILogger<FeedSignal> logger)
    : BackgroundService
{
    private TaskCompletionSource next = New();

    /// <summary>Ends with the next notification. Take it before looking, so that none falls in between.</summary>
    public Task Next => Volatile.Read(ref next).Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (options.Value.Transport != Transport.Feed || !published.Any())
        {
            return;
        }

        var backoff = new Backoff(time);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var connection = await database.OpenConnectionAsync(stoppingToken).ConfigureAwait(false);
                connection.Notification += (_, _) => Interlocked.Exchange(ref next, New()).SetResult();
                await using var listen = new NpgsqlCommand($"LISTEN {MessagingSchema.Sequenced}", connection);
                await listen.ExecuteNonQueryAsync(stoppingToken).ConfigureAwait(false);
                backoff.Reset();
                while (true)
                {
                    await connection.WaitAsync(stoppingToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed)
            {
                if (backoff.IsFirst)
                {
                    Log.Deaf(logger, failed);
                }

                await backoff.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static partial class Log
    {
        [LoggerMessage(3011, LogLevel.Warning, "The feed cannot listen to the database now; its readers look for themselves until it can.")]
        public static partial void Deaf(ILogger logger, Exception failed);
    }
}
