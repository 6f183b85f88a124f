using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Limits;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>
/// Saves a changed key, and has it hold everywhere at once: the version of its settings goes to Redis, where every admission meets it. An instance that knows an
/// older one reads the key anew before it admits by it. Is Redis away, instances learn it from the database, within a second.
/// </summary>
internal sealed partial class KeyChanges(LimitScripts scripts, TimeProvider time, ILogger<KeyChanges> logger)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Null, or why it was not saved: somebody else changed the key meanwhile.</summary>
    public async Task<ProblemHttpResult?> SaveAsync(ConsumptionDb db, KeyRow row, CancellationToken cancellationToken)
    {
        row.Version++;
        try
        {
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateConcurrencyException)
        {
            return Problems.Conflict("key_changed", "The key was changed by somebody else meanwhile: read it, and try again.");
        }

        try
        {
            await scripts.RaiseVersionAsync(row.OrganisationId, LimitScripts.FieldOf(row.Id), row.Version).WaitAsync(Patience, time, CancellationToken.None);
        }
        catch (Exception away) when (away is RedisException or TimeoutException)
        {
            Log.NotTold(logger, row.Id, away);
        }

        return null;
    }

    private static partial class Log
    {
        [LoggerMessage(5211, LogLevel.Warning, "Key {Key} was changed while Redis is away: instances learn it from the database.")]
        public static partial void NotTold(ILogger logger, Guid key, Exception away);
    }
}

/// <summary>A key as the database has it now.</summary>
internal sealed class FreshKey(Npgsql.NpgsqlDataSource database)
{
    public async Task<Key?> ReadAsync(Guid id, CancellationToken cancellationToken)
    {
        await using var read = database.CreateCommand($"SELECT {KeyMirror.KeyColumns} FROM keys WHERE id = $1");
        read.Parameters.Add(new() { Value = id });
        await using var reader = await read.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? KeyMirror.ReadKey(reader) : null;
    }
}
