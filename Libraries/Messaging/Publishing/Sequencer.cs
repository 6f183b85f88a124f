using Npgsql;

namespace LlmMarketplace.Messaging.Publishing;

/// <summary>
/// Gives committed outbox rows their place: a sequence per topic, without gaps. Only the holder of the relay's lock calls it, on the connection that holds it, so
/// numbers become visible in their order: who sees n sees all before n.
/// </summary>
/// <remarks>
/// A row is seen only once it is committed, so a change that commits late gets a later number, whenever it began. Two changes of one aggregate wait for each other on its row,
/// so the second inserts and commits after the first. Writers of many events take their places themselves (<see cref="Outbox.CopyLastAsync"/>), behind the same lock: a topic's row.
/// </remarks>
internal sealed class Sequencer(IEnumerable<PublishedEvent> published, MessagingTelemetry telemetry)
{
    /// <summary>Makes the declared topics known to the database: whichever application holds the lock serves them all.</summary>
    public async Task DeclareAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        foreach (var topic in published.DistinctBy(declared => declared.Topic))
        {
            await using var command = new NpgsqlCommand("INSERT INTO messaging.topics (topic, kind) VALUES ($1, $2) ON CONFLICT (topic) DO UPDATE SET kind = excluded.kind", relay)
            {
                Parameters = { new() { Value = topic.Topic }, new() { Value = topic.Kind.ToString() } },
            };
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Numbers up to <paramref name="limit"/> rows and wakes the followers. Returns how many.</summary>
    public async Task<long> SequenceAsync(NpgsqlConnection relay, int limit, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"""
             WITH waiting AS (
                 SELECT id, topic, row_number() OVER (PARTITION BY topic ORDER BY inserted) AS place
                 FROM (SELECT id, topic, inserted FROM messaging.outbox WHERE sequence IS NULL ORDER BY inserted LIMIT $1) AS head),
             counted AS (SELECT topic, count(*) AS n FROM waiting GROUP BY topic),
             moved AS (
                 UPDATE messaging.topics t SET last_sequence = t.last_sequence + c.n FROM counted c WHERE c.topic = t.topic
                 RETURNING t.topic, t.last_sequence - c.n AS before),
             numbered AS (
                 UPDATE messaging.outbox o SET sequence = m.before + w.place FROM waiting w JOIN moved m ON m.topic = w.topic WHERE o.id = w.id)
             SELECT c.topic, c.n, pg_notify('{MessagingSchema.Sequenced}', '') FROM counted c JOIN moved m ON m.topic = c.topic
             """,
            relay)
        {
            Parameters = { new() { Value = limit } },
        };
        long total = 0;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            telemetry.Published(reader.GetString(0), reader.GetInt64(1));
            total += reader.GetInt64(1);
        }

        return total;
    }
}
