using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Removes deliveries that came to their end long ago, those that have waited as long for a disabled webhook, and secrets that sign no more; counts what waits.</summary>
internal sealed partial class TidyDeliveries(NpgsqlDataSource database, WebhookTelemetry telemetry, IOptions<WebhookOptions> options, TimeProvider time, ILogger<TidyDeliveries> logger) : RecurringWork(time)
{
    private const int AtOnce = 1_000;

    private const string Remove =
        """
        DELETE FROM webhook_deliveries WHERE (webhook_id, event_id) IN (
            SELECT webhook_id, event_id FROM webhook_deliveries WHERE finished_at < $1
            UNION ALL SELECT d.webhook_id, d.event_id FROM webhook_deliveries AS d JOIN webhooks AS w ON w.id = d.webhook_id AND NOT w.enabled WHERE d.state = 'Waiting' AND d.due_at < $1
            LIMIT $2)
        """;

    protected override TimeSpan Every => TimeSpan.FromMinutes(1);

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        await using var remove = database.CreateCommand(Remove);
        remove.Parameters.Add(new() { Value = now - options.Value.KeepFor });
        remove.Parameters.Add(new() { Value = AtOnce });
        while (await remove.ExecuteNonQueryAsync(cancellationToken) == AtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        await using var forget = database.CreateCommand("UPDATE webhooks SET previous_secret = NULL, previous_until = NULL WHERE previous_until <= $1");
        forget.Parameters.Add(new() { Value = now });
        await forget.ExecuteNonQueryAsync(cancellationToken);
        await using var count = database.CreateCommand("SELECT count(*) FROM webhook_deliveries WHERE state = 'Waiting'");
        telemetry.Waiting = (long)(await count.ExecuteScalarAsync(cancellationToken))!;
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    private static partial class Log
    {
        [LoggerMessage(5611, LogLevel.Warning, "Deliveries of webhooks could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
