using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Publishing;

/// <summary>
/// Removes outbox rows that were sent and are older than the retention; the newest version of each key of a state topic stays for ever, so that a consumer that joins
/// late still reads every aggregate.
/// </summary>
internal sealed class Retention(IOptions<MessagingOptions> options, TimeProvider time)
{
    private DateTimeOffset next = DateTimeOffset.MinValue;

    /// <summary>Sweeps when it is time to. Only the holder of the relay's lock calls it.</summary>
    public async Task SweepAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (now < next)
        {
            return;
        }

        next = now + options.Value.SweepInterval;
        await using var command = new NpgsqlCommand(
            """
            DELETE FROM messaging.outbox o USING messaging.topics t
            WHERE t.topic = o.topic AND o.time < $1 AND o.sequence <= CASE WHEN $2 THEN t.published_sequence ELSE t.last_sequence END
              AND (t.kind = 'Log' OR EXISTS (
                  SELECT FROM messaging.outbox newer
                  WHERE newer.topic = o.topic AND newer.key = o.key AND newer.aggregate_version > o.aggregate_version AND newer.sequence IS NOT NULL))
            """,
            relay)
        {
            Parameters = { new() { Value = now - options.Value.Retention }, new() { Value = options.Value.Transport == Transport.Kafka } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}
