using LlmMarketplace.Consumption.Calls;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>Forgets responses that their providers keep no longer either.</summary>
internal sealed partial class ForgetResponses(NpgsqlDataSource database, IOptions<CallOptions> options, TimeProvider time, ILogger<ForgetResponses> logger) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        try
        {
            do
            {
                try
                {
                    await using var delete = database.CreateCommand("DELETE FROM stored_responses WHERE created_at < $1");
                    delete.Parameters.Add(new NpgsqlParameter { Value = time.GetUtcNow() - options.Value.KeepResponses });
                    await delete.ExecuteNonQueryAsync(stoppingToken);
                }
                catch (Exception away) when (away is NpgsqlException or TimeoutException)
                {
                    Log.Later(logger, away);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5224, LogLevel.Warning, "Responses whose time is over could not be forgotten now.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
