using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>Keeps the cache within its bounds: removes answers whose time is over, and of an organisation that has too many of them, or too many bytes, the oldest.</summary>
internal sealed partial class TidyCache(NpgsqlDataSource database, IOptions<CacheOptions> options, TimeProvider time, ILogger<TidyCache> logger) : TidyStore(database, time)
{
    protected override TimeSpan Every => options.Value.TidyEvery;

    protected override string DeleteOver =>
        "DELETE FROM cached_answers WHERE (organisation_id, cache_key) IN (SELECT organisation_id, cache_key FROM cached_answers WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)";

    protected override void Later(Exception away) => Log.Later(logger, away);

    protected override async Task BoundAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var bound = Database.CreateCommand(
            """
            DELETE FROM cached_answers WHERE organisation_id = $1 AND cache_key IN (
                SELECT cache_key FROM (
                    SELECT cache_key, sum(bytes) OVER newest AS together, row_number() OVER newest AS nth FROM cached_answers WHERE organisation_id = $1
                    WINDOW newest AS (ORDER BY created_at DESC, cache_key)) AS answers
                WHERE together > $2 OR nth > $3)
            """);
        bound.Parameters.Add(new() { Value = organisation });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationAnswers });
        await bound.ExecuteNonQueryAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(5312, LogLevel.Warning, "The response cache could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
