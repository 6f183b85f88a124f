using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>
/// Sends what is due:
/// <code>
/// due ─► taken, by one instance: due again only when it must have died ─► sent ─► 2xx: delivered │ 410: failed, and the webhook disabled
///                                                                              └► else: due again later, 7 times; then failed
/// </code>
/// At least once: an instance that dies between a receiver's answer and its note leaves a delivery that is sent again. Receivers know it by its <c>webhook-id</c>.
/// </summary>
internal sealed partial class DeliverWebhooks(NpgsqlDataSource database, SendWebhook send, WebhookTelemetry telemetry, IOptions<WebhookOptions> options, TimeProvider time, ILogger<DeliverWebhooks> logger)
    : RecurringWork(time)
{
    // A webhook that has as many under way as it may have is passed over, so a slow receiver holds up no other.
    private const string Take =
        """
        WITH due AS (
            SELECT one.webhook_id, one.event_id
              FROM (SELECT DISTINCT webhook_id FROM webhook_deliveries WHERE state = 'Waiting' AND due_at <= $1) AS ready
              JOIN webhooks AS w ON w.id = ready.webhook_id AND w.enabled
              LEFT JOIN unnest($2, $3) AS busy (webhook_id, sends) ON busy.webhook_id = w.id
             CROSS JOIN LATERAL (
                    SELECT d.webhook_id, d.event_id FROM webhook_deliveries AS d WHERE d.webhook_id = w.id AND d.state = 'Waiting' AND d.due_at <= $1
                     ORDER BY d.due_at LIMIT greatest($4 - coalesce(busy.sends, 0), 0) FOR UPDATE SKIP LOCKED) AS one
             LIMIT $5)
        UPDATE webhook_deliveries AS d SET due_at = $6 FROM due JOIN webhooks AS w ON w.id = due.webhook_id
         WHERE d.webhook_id = due.webhook_id AND d.event_id = due.event_id
        RETURNING d.event_id, d.body, d.attempts, d.due_at, w.id, w.url, w.organisation_slug, w.secret, w.previous_secret, w.previous_until
        """;

    // In this order: who deletes a webhook locks it before its deliveries.
    private const string NoteFailure =
        """
        UPDATE webhooks SET failing_since = coalesce(failing_since, $2), enabled = NOT ($3 OR coalesce(failing_since < $4, false)),
               disabled_because = CASE WHEN $3 THEN 'Gone' WHEN failing_since < $4 THEN 'Failing' END
         WHERE id = $1 AND enabled RETURNING enabled
        """;

    private const string NoteSuccess = "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL";

    // Only as long as it is ours.
    private const string Finish =
        "UPDATE webhook_deliveries SET state = $4, attempts = attempts + 1, last_status = $5, last_error = $6, due_at = $7, finished_at = $8 WHERE webhook_id = $1 AND event_id = $2 AND due_at = $3 AND state = 'Waiting'";

    private const string GiveBack = "UPDATE webhook_deliveries SET due_at = $4 WHERE webhook_id = $1 AND event_id = $2 AND due_at = $3 AND state = 'Waiting'";

    // As Standard Webhooks suggests.
    private static readonly TimeSpan[] Delays =
        [TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5), TimeSpan.FromHours(10), TimeSpan.FromHours(10)];

    private static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(2);
    private readonly List<(Guid Webhook, Task Send)> sends = [];
    private CancellationTokenSource stop = new();

    protected override TimeSpan Every => options.Value.Every;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        stop.Dispose();
        stop = new CancellationTokenSource();
        return base.StartAsync(cancellationToken);
    }

    /// <summary>Gives what is under way a moment to end; the rest is given back, for another instance or the next start.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        stop.CancelAfter(StopWithin);
        await Task.WhenAll(sends.Select(one => one.Send)).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public override void Dispose()
    {
        stop.Dispose();
        base.Dispose();
    }

    /// <summary>Takes what is due and goes on as long as there is something and room for it; sends end by themselves.</summary>
    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        while (await TakeAsync(cancellationToken) is { Count: > 0 } taken)
        {
            sends.AddRange(taken.Select(one => (one.Target.WebhookId, DeliverAsync(one, stop.Token))));
            await Task.WhenAny([.. sends.Select(one => one.Send), Task.Delay(Every, Time, cancellationToken)]);
        }
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    private async Task<List<Delivery>> TakeAsync(CancellationToken cancellationToken)
    {
        foreach (var over in sends.Where(one => one.Send.IsCompleted))
        {
            await over.Send; // What nobody expects ends the process.
        }

        sends.RemoveAll(one => one.Send.IsCompleted);
        var room = options.Value.MaxConcurrent - sends.Count;
        if (room <= 0)
        {
            return [];
        }

        var busy = sends.CountBy(one => one.Webhook).ToArray();
        var now = Time.GetUtcNow();
        await using var take = database.CreateCommand(Take);
        take.Parameters.Add(new() { Value = now });
        take.Parameters.Add(new() { Value = busy.Select(one => one.Key).ToArray() });
        take.Parameters.Add(new() { Value = busy.Select(one => one.Value).ToArray() });
        take.Parameters.Add(new() { Value = options.Value.MaxConcurrentOfOne });
        take.Parameters.Add(new() { Value = room });
        take.Parameters.Add(new() { Value = now + (2 * options.Value.Timeout) + TimeSpan.FromSeconds(30) });
        var taken = new List<Delivery>();
        await using var reader = await take.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            taken.Add(new Delivery(
                reader.GetGuid(0),
                reader.GetString(1),
                reader.GetInt32(2),
                reader.GetFieldValue<DateTimeOffset>(3),
                new WebhookTarget(
                    reader.GetGuid(4), reader.GetString(5), reader.GetString(6), reader.GetFieldValue<byte[]>(7),
                    reader.IsDBNull(8) ? null : reader.GetFieldValue<byte[]>(8), reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9))));
        }

        return taken;
    }

    private async Task DeliverAsync(Delivery delivery, CancellationToken stopped)
    {
        try
        {
            SendResult result;
            try
            {
                result = await send.RunAsync(delivery.Target, delivery.EventId, delivery.Body, stopped);
            }
            catch (OperationCanceledException) when (stopped.IsCancellationRequested)
            {
                await using var giveBack = database.CreateCommand(GiveBack);
                AddKey(giveBack.Parameters, delivery);
                giveBack.Parameters.Add(new() { Value = Time.GetUtcNow() });
                await giveBack.ExecuteNonQueryAsync(CancellationToken.None);
                return;
            }

            telemetry.Attempted(result);
            await NoteAsync(delivery, result);
        }
        catch (Exception away) when (IsAway(away))
        {
            Log.NotNoted(logger, delivery.EventId, away);
        }
    }

    private async Task NoteAsync(Delivery delivery, SendResult result)
    {
        var now = Time.GetUtcNow();
        var isOver = result.IsDelivered || result.IsGone || delivery.Attempts >= Delays.Length;
        await using var connection = await database.OpenConnectionAsync(CancellationToken.None);
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { new(result.IsDelivered ? NoteSuccess : NoteFailure) { Parameters = { new() { Value = delivery.Target.WebhookId } } }, new(Finish) } };
        if (!result.IsDelivered)
        {
            var failure = batch.BatchCommands[0].Parameters;
            failure.Add(new NpgsqlParameter { Value = now });
            failure.Add(new NpgsqlParameter { Value = result.IsGone });
            failure.Add(new NpgsqlParameter { Value = now - options.Value.DisableAfter });
        }

        var finish = batch.BatchCommands[1].Parameters;
        AddKey(finish, delivery);
        finish.Add(new NpgsqlParameter { Value = (result.IsDelivered ? DeliveryState.Delivered : isOver ? DeliveryState.Failed : DeliveryState.Waiting).ToString() });
        finish.Add(new NpgsqlParameter { Value = (object?)result.Status ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer });
        finish.Add(new NpgsqlParameter { Value = (object?)result.Error ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        finish.Add(new NpgsqlParameter { Value = isOver ? now : now + Pause(delivery.Attempts, result.RetryAfter) });
        finish.Add(new NpgsqlParameter { Value = isOver ? now : DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        if (await batch.ExecuteScalarAsync(CancellationToken.None) is false)
        {
            Log.Disabled(logger, delivery.Target.WebhookId, result.Status, result.Error);
        }

        if (isOver && !result.IsDelivered)
        {
            Log.GivenUp(logger, delivery.EventId, delivery.Target.WebhookId, delivery.Attempts + 1, result.Status, result.Error);
        }
    }

    /// <summary>Until the next attempt; a little longer than the schedule says, so that what failed together does not come together.</summary>
    private static TimeSpan Pause(int attempts, TimeSpan retryAfter)
    {
        var scheduled = Delays[attempts] * (1 + (0.1 * Random.Shared.NextDouble()));
        return scheduled > retryAfter ? scheduled : retryAfter;
    }

    private static void AddKey(NpgsqlParameterCollection parameters, Delivery delivery)
    {
        parameters.Add(new NpgsqlParameter { Value = delivery.Target.WebhookId });
        parameters.Add(new NpgsqlParameter { Value = delivery.EventId });
        parameters.Add(new NpgsqlParameter { Value = delivery.DueAt });
    }

    /// <param name="EventId">What is sent.</param>
    /// <param name="Body">The CloudEvent.</param>
    /// <param name="Attempts">Attempts before this one.</param>
    /// <param name="DueAt">Until when it is ours.</param>
    /// <param name="Target">Where to.</param>
    private sealed record Delivery(Guid EventId, string Body, int Attempts, DateTimeOffset DueAt, WebhookTarget Target);

    private static partial class Log
    {
        [LoggerMessage(5601, LogLevel.Warning, "Deliveries of webhooks could not be taken up now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);

        [LoggerMessage(5602, LogLevel.Warning, "What came of the delivery of event {EventId} could not be noted: it will be sent again.")]
        public static partial void NotNoted(ILogger logger, Guid eventId, Exception away);

        [LoggerMessage(5603, LogLevel.Warning, "Webhook {WebhookId} is disabled: its receiver wants nothing any more, or has failed for too long (status {Status}, {Error}).")]
        public static partial void Disabled(ILogger logger, Guid webhookId, int? status, string? error);

        [LoggerMessage(5604, LogLevel.Warning, "Event {EventId} was not delivered to webhook {WebhookId} in {Attempts} attempts (status {Status}, {Error}).")]
        public static partial void GivenUp(ILogger logger, Guid eventId, Guid webhookId, int attempts, int? status, string? error);
    }
}
