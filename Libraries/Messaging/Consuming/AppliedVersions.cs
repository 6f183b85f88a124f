using System.Data.Common;
using Npgsql;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>The newest version of each aggregate that was applied: state topics tell states, so an older one has nothing left to tell.</summary>
internal static class AppliedVersions
{
    /// <summary>Moves an aggregate's version forward within the transaction. False: this version or a newer one was applied before.</summary>
    public static async Task<bool> TryMoveAsync(DbTransaction transaction, string topic, Guid key, long version, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO messaging.applied_versions AS applied (topic, key, version) VALUES ($1, $2, $3)
            ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version WHERE applied.version < excluded.version
            """,
            (NpgsqlConnection)transaction.Connection!)
        {
            Parameters = { new() { Value = topic }, new() { Value = key }, new() { Value = version } },
        };
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
    }
}
