using LlmMarketplace.Messaging;
using Npgsql;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Notes for each webhook what it is to be sent, in the transaction that writes the events: whoever is told by Kafka is told by webhook too, or nobody is.</summary>
internal static class QueueDeliveries
{
    // The lock keeps a webhook from being deleted between being read and being referred to; it is in nobody else's way.
    private const string Queue =
        """
        INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, body, state, attempts, due_at, created_at)
        SELECT w.id, e.id, e.type, e.body::json, 'Waiting', 0, $5, $5
          FROM unnest($1, $2, $3, $4) AS e (organisation_id, id, type, body)
          JOIN webhooks AS w ON w.organisation_id = e.organisation_id AND w.enabled AND e.type = ANY (w.events)
           FOR KEY SHARE OF w
        """;

    /// <param name="connection">In the transaction that writes the events.</param>
    /// <param name="events">Each with the organisation that it is for.</param>
    /// <param name="now">When they are due.</param>
    /// <param name="cancellationToken">Cancels it; the transaction is void then.</param>
    public static async Task RunAsync(NpgsqlConnection connection, IReadOnlyList<(Guid Organisation, EventMessage Message)> events, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (events.Count == 0)
        {
            return;
        }

        await using var queue = new NpgsqlCommand(Queue, connection)
        {
            Parameters =
            {
                new() { Value = events.Select(one => one.Organisation).ToArray() },
                new() { Value = events.Select(one => one.Message.Id).ToArray() },
                new() { Value = events.Select(one => one.Message.Type).ToArray() },
                new() { Value = events.Select(one => one.Message.ToJson()).ToArray() },
                new() { Value = now },
            },
        };
        await queue.ExecuteNonQueryAsync(cancellationToken);
    }
}
