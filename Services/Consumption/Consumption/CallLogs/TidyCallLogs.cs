using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>Keeps what is logged within its bounds: removes calls whose days are over, and of an organisation that has too many bytes the oldest.</summary>
internal sealed partial class TidyCallLogs(NpgsqlDataSource database, IOptions<CallLogOptions> options, TimeProvider time, ILogger<TidyCallLogs> logger) : TidyStore(database, time)
{
    protected override TimeSpan Every => options.Value.TidyEvery;

    protected override string DeleteOver =>
        "DELETE FROM call_logs WHERE (organisation_id, call_id) IN (SELECT organisation_id, call_id FROM call_logs WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)";

    protected override void Later(Exception away) => Log.Later(logger, away);

    protected override async Task BoundAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var bound = Database.CreateCommand(
            """
            DELETE FROM call_logs WHERE organisation_id = $1 AND call_id IN (
                SELECT call_id FROM (SELECT call_id, sum(bytes) OVER (ORDER BY admitted_at DESC, call_id DESC) AS together FROM call_logs WHERE organisation_id = $1) AS newest WHERE together > $2)
            """);
        bound.Parameters.Add(new() { Value = organisation });
        bound.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        await bound.ExecuteNonQueryAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(5322, LogLevel.Warning, "Logged calls could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
