using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using LlmMarketplace.Messaging.Consuming;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Messaging.DeadLetters;

/// <summary>What became of a dead letter.</summary>
internal enum DeadLetterState
{
    /// <summary>It waits for somebody to mend the cause and try again.</summary>
    Open,

    /// <summary>It was applied after all.</summary>
    Applied,

    /// <summary>A newer version of its aggregate was applied before: there was nothing left to do.</summary>
    Superseded,
}

/// <summary>How a retry ended.</summary>
internal enum RetryOutcome
{
    NotFound,
    Closed,
    StillUnreadable,
    FailedAgain,
}

/// <summary>The consumer's dead letters, kept beside its effects.</summary>
internal static class DeadLetterStore
{
    public static async Task AddAsync(DbTransaction transaction, string topic, PreparedEvent dead, DeadCause cause, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO messaging.dead_letters (id, topic, event_id, type, key, aggregate_version, event, reason, error, attempts, state, dead_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            (NpgsqlConnection)transaction.Connection!)
        {
            Parameters =
            {
                new() { Value = Guid.CreateVersion7(now) },
                new() { Value = topic },
                new() { Value = Nullable(dead.Envelope?.Id), NpgsqlDbType = NpgsqlDbType.Uuid },
                new() { Value = Nullable(Storable(dead.Envelope?.Type)), NpgsqlDbType = NpgsqlDbType.Text },
                new() { Value = Nullable(dead.Envelope?.Key), NpgsqlDbType = NpgsqlDbType.Uuid },
                new() { Value = Nullable(dead.Envelope?.AggregateVersion), NpgsqlDbType = NpgsqlDbType.Bigint },
                new() { Value = dead.Received.Raw, NpgsqlDbType = NpgsqlDbType.Bytea },
                new() { Value = cause.Reason.ToString() },
                new() { Value = Storable(cause.Error) },
                new() { Value = cause.Attempts },
                new() { Value = nameof(DeadLetterState.Open) },
                new() { Value = now },
            },
        };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads a letter and holds it until the transaction ends; null when there is none.</summary>
    public static async Task<(string Topic, byte[] Event, DeadLetterState State)?> LockAsync(DbTransaction transaction, Guid id, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT topic, event, state FROM messaging.dead_letters WHERE id = $1 FOR UPDATE", (NpgsqlConnection)transaction.Connection!)
        {
            Parameters = { new() { Value = id } },
        };
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await row.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? (row.GetString(0), row.GetFieldValue<byte[]>(1), Enum.Parse<DeadLetterState>(row.GetString(2)))
            : null;
    }

    public static async Task CloseAsync(DbTransaction transaction, Guid id, DeadLetterState state, DateTimeOffset now, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("UPDATE messaging.dead_letters SET state = $2, closed_at = $3 WHERE id = $1", (NpgsqlConnection)transaction.Connection!)
        {
            Parameters = { new() { Value = id }, new() { Value = state.ToString() }, new() { Value = now } },
        };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public static Task FailedAgainAsync(DbContext context, Guid id, string error, CancellationToken cancellationToken) =>
        context.Database.ExecuteSqlAsync($"UPDATE messaging.dead_letters SET attempts = attempts + 1, error = {Storable(error)} WHERE id = {id}", cancellationToken);

    /// <summary>PostgreSQL's text takes no U+0000, which an event may well bring into an error's message: a letter that cannot be stored would hold up its topic for ever.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    private static string? Storable(string? text) => text?.Replace('\0', '\uFFFD');

    private static object Nullable(object? value) => value ?? DBNull.Value;
}
