using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>Keeps what is logged within its bounds: removes calls whose days are over, and of an organisation that has too many bytes the oldest.</summary>
internal sealed partial class TidyCallLogs(NpgsqlDataSource database, IOptions<CallLogOptions> options, TimeProvider time, ILogger<TidyCallLogs> logger) : BackgroundService
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
            "DELETE FROM call_logs WHERE (organisation_id, call_id) IN (SELECT organisation_id, call_id FROM call_logs WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)");
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
            DELETE FROM call_logs WHERE organisation_id = $1 AND call_id IN (
                SELECT call_id FROM (SELECT call_id, sum(bytes) OVER (ORDER BY admitted_at DESC, call_id DESC) AS together FROM call_logs WHERE organisation_id = $1) AS newest WHERE together > $2)
            """);
        bound.Parameters.Add(new() { Value = organisation });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        await bound.ExecuteNonQueryAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(5322, LogLevel.Warning, "Logged calls could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
