using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging.Consuming;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Messaging.DeadLetters;

/// <summary>Lists dead letters, oldest first; open ones unless <c>state</c> asks otherwise.</summary>
internal static class ListDeadLetters
{
    public static void MapListDeadLetters(this RouteGroupBuilder group) =>
        group.MapGet("", HandleAsync).WithName("ListDeadLetters").WithSummary("Events that this service put aside, oldest first");

    private static async Task<Results<Ok<Page<DeadLetter>>, ProblemHttpResult>> HandleAsync(
        NpgsqlDataSource database, [Description("open, applied or superseded; open unless given.")] string? state, int? limit, string? cursor, CancellationToken cancellationToken)
    {
        if (!Enum.TryParse<DeadLetterState>(state ?? nameof(DeadLetterState.Open), ignoreCase: true, out var wanted))
        {
            return Problems.Invalid(new Issue("invalid_state", "/state", "The state must be open, applied or superseded."));
        }

        var after = Guid.Empty;
        if (cursor is not null && !Paging.TryDecode(cursor, out after))
        {
            return Problems.Invalid(new Issue("invalid_cursor", "/cursor", "The cursor is not one of this list: pass the nextCursor of its last page."));
        }

        var items = await ReadAsync(database, "state = $2 AND id > $3 ORDER BY id LIMIT $4", Guid.Empty, wanted, after, Paging.Limit(limit) + 1, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(items.Count > Paging.Limit(limit)
            ? new Page<DeadLetter>(items[..^1], Paging.Encode(items[^2].Id))
            : new Page<DeadLetter>(items, null));
    }

    /// <summary>One dead letter, or null.</summary>
    public static async Task<DeadLetter?> FindAsync(NpgsqlDataSource database, Guid id, CancellationToken cancellationToken) =>
        (await ReadAsync(database, "id = $1", id, default, default, 1, cancellationToken).ConfigureAwait(false)).SingleOrDefault();

    private static async Task<List<DeadLetter>> ReadAsync(NpgsqlDataSource database, string where, Guid id, DeadLetterState state, Guid after, int limit, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"""
             WITH asked AS (SELECT $1::uuid, $2::text, $3::uuid, $4::bigint)
             SELECT id, topic, event_id, type, key, aggregate_version, reason, error, attempts, state, dead_at, closed_at FROM messaging.dead_letters WHERE {where}
             """);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = state.ToString() });
        command.Parameters.Add(new() { Value = after });
        command.Parameters.Add(new() { Value = (long)limit, NpgsqlDbType = NpgsqlDbType.Bigint });
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var letters = new List<DeadLetter>();
        while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            letters.Add(new DeadLetter(
                row.GetGuid(0),
                row.GetString(1),
                row.GetFieldValue<Guid?>(2),
                row.IsDBNull(3) ? null : row.GetString(3),
                row.GetFieldValue<Guid?>(4),
                row.GetFieldValue<long?>(5),
                Enum.Parse<DeadReason>(row.GetString(6)),
                row.GetString(7),
                row.GetInt32(8),
                Enum.Parse<DeadLetterState>(row.GetString(9)),
                row.GetFieldValue<DateTimeOffset>(10),
                row.GetFieldValue<DateTimeOffset?>(11)));
        }

        return letters;
    }
}
