using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>Keeps the cache within its bounds: removes answers whose time is over, and of an organisation that has too many of them, or too many bytes, the oldest.</summary>
internal sealed partial class TidyCache(NpgsqlDataSource database, IOptions<CacheOptions> options, TimeProvider time, ILogger<TidyCache> logger) : BackgroundService
{
    private const int AtOnce = 1_000;
    private readonly ConcurrentDictionary<Guid, bool> touched = new();

    /// <summary>An organisation has one more.</summary>
    public void Touched(Guid organisation) => touched[organisation] = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.TidyEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await TidyAsync(stoppingToken);
                }
                catch (Exception away) when (away is NpgsqlException or TimeoutException)
                {
                    Log.Later(logger, away);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task TidyAsync(CancellationToken cancellationToken)
    {
        await using var remove = database.CreateCommand(
            "DELETE FROM cached_answers WHERE (organisation_id, cache_key) IN (SELECT organisation_id, cache_key FROM cached_answers WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)");
        remove.Parameters.Add(new() { Value = AtOnce });
        while (await remove.ExecuteNonQueryAsync(cancellationToken) == AtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        foreach (var organisation in touched.Keys)
        {
            touched.TryRemove(organisation, out _);
            try
            {
                await BoundAsync(organisation, cancellationToken);
            }
            catch
            {
                touched[organisation] = true;
                throw;
            }
        }
    }

    private async Task BoundAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var bound = database.CreateCommand(
            """
            DELETE FROM cached_answers WHERE organisation_id = $1 AND cache_key IN (
                SELECT cache_key FROM (
                    SELECT cache_key, sum(bytes) OVER newest AS together, row_number() OVER newest AS nth FROM cached_answers WHERE organisation_id = $1
                    WINDOW newest AS (ORDER BY created_at DESC, cache_key)) AS answers
                WHERE together > $2 OR nth > $3)
            """);
        bound.Parameters.Add(new() { Value = organisation });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationAnswers });
        await bound.ExecuteNonQueryAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(5312, LogLevel.Warning, "The response cache could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
