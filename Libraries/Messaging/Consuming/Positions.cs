using System.Data.Common;
using Npgsql;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>Where events come from: a partition of a topic, by one transport.</summary>
internal sealed record EventSource(string Transport, string Topic, int Partition);

/// <summary>How far a source was applied.</summary>
/// <param name="Next">Where the transport goes on: the last sequence of a feed, the next offset of a Kafka partition.</param>
/// <param name="Sequence">The last sequence applied; what is not greater was applied already and is dropped.</param>
internal readonly record struct Position(long Next, long Sequence);

/// <summary>An event as it arrived.</summary>
/// <param name="Next">The position after it.</param>
/// <param name="Raw">The structured CloudEvent.</param>
internal readonly record struct ReceivedEvent(long Next, ReadOnlyMemory<byte> Raw);

/// <summary>Somebody else moved this position: what we were about to apply is theirs.</summary>
internal sealed class FencedException(EventSource source) : Exception($"Another instance applies {source.Topic}/{source.Partition}.");

/// <summary>The stored positions. They move only in the transaction of the effects, and only from where the mover believes them to be: that fences a consumer that lost its partition.</summary>
internal sealed class Positions(NpgsqlDataSource database)
{
    /// <summary>The stored position; the beginning when there is none yet.</summary>
    public async Task<Position> ReadAsync(EventSource source, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var read = Command(
            connection,
            """
            WITH begun AS (
                INSERT INTO messaging.positions (transport, topic, partition, next, sequence) VALUES ($1, $2, $3, 0, 0)
                ON CONFLICT DO NOTHING RETURNING next, sequence)
            SELECT next, sequence FROM begun UNION ALL
            SELECT next, sequence FROM messaging.positions WHERE transport = $1 AND topic = $2 AND partition = $3
            """,
            source);
        await using var row = await read.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await row.ReadAsync(cancellationToken).ConfigureAwait(false) ? new Position(row.GetInt64(0), row.GetInt64(1)) : throw new FencedException(source);
    }

    /// <summary>Moves the position within the transaction; holds its row until the end, so two movers wait for each other.</summary>
    /// <exception cref="FencedException">It is not where <paramref name="from"/> says.</exception>
    public static async Task MoveAsync(DbTransaction transaction, EventSource source, Position from, Position to, CancellationToken cancellationToken)
    {
        await using var move = Command(
            (NpgsqlConnection)transaction.Connection!,
            "UPDATE messaging.positions SET next = $4, sequence = $5 WHERE transport = $1 AND topic = $2 AND partition = $3 AND next = $6 AND sequence = $7",
            source,
            to.Next,
            to.Sequence,
            from.Next,
            from.Sequence);
        if (await move.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) != 1)
        {
            throw new FencedException(source);
        }
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, EventSource source, params ReadOnlySpan<long> more)
    {
        var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = source.Transport }, new() { Value = source.Topic }, new() { Value = source.Partition } } };
        foreach (var value in more)
        {
            command.Parameters.Add(new() { Value = value });
        }

        return command;
    }
}
