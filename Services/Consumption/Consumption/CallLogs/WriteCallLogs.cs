using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Idempotency;
using Npgsql;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>Makes of calls that ended what is kept of them, and writes it.</summary>
internal sealed class WriteCallLogs(NpgsqlDataSource database, AnswerProtector protector, TimeProvider time)
{
    /// <summary>To what a logged call is bound, beside its organisation and its id.</summary>
    internal const string Bound = "call log";

    // Locking the settings waits for an erasure that is under way. When a call ended is reckoned from when the statement came, not from when the lock was there: what waited for an erasure ended before it.
    private const string Insert =
        """
        WITH settings AS MATERIALIZED (
            SELECT organisation_id, days_kept, erased_at FROM call_logging_settings WHERE organisation_id = ANY($1) AND days_kept IS NOT NULL ORDER BY organisation_id FOR SHARE)
        INSERT INTO call_logs (organisation_id, call_id, key_id, service, operation, outcome, status_code, end_user, sealed_by, sealed, bytes, admitted_at, expires_at)
        SELECT c.organisation_id, c.call_id, c.key_id, c.service, c.operation, c.outcome, c.status_code, c.end_user, $10, c.sealed, length(c.sealed), c.admitted_at,
            statement_timestamp() + make_interval(days => days_kept)
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, $12) AS c (organisation_id, call_id, key_id, service, operation, outcome, status_code, end_user, sealed, admitted_at, ago)
        JOIN settings USING (organisation_id)
        WHERE erased_at IS NULL OR erased_at < statement_timestamp() - c.ago
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Redacts and encrypts.</summary>
    public SealedCall Seal(EndedCall ended)
    {
        var (record, redaction) = (ended.Record, ended.Log.Policy.Redaction);
        var bodies = new LoggedBodies(Keep(ended.Log.RequestType, ended.Log.Request?.AsMemory(), ended.Log.RequestBytes, redaction), Keep(ended.AnswerType, ended.Answer, null, redaction));
        var body = JsonSerializer.SerializeToUtf8Bytes(bodies, Json.Options);
        return new SealedCall(record, protector.Protect(record.OrganisationId, Bound, record.RequestId, new Answer("application/json", new Dictionary<string, string>(), body)), ended.Since);
    }

    /// <summary>Writes calls by one statement: those whose organisation still logs, and did not erase its log since they ended.</summary>
    /// <exception cref="NpgsqlException">None of them was written.</exception>
    public async Task WriteAsync(IReadOnlyList<SealedCall> calls, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken); // First of all, for it may be waited for.
        await using var write = new NpgsqlCommand(Insert, connection)
        {
            Parameters =
            {
                Column(calls, one => one.Record.OrganisationId),
                Column(calls, one => one.Record.RequestId),
                Column(calls, one => one.Record.KeyId),
                Column(calls, one => one.Record.Service),
                Column(calls, one => one.Record.Operation),
                Column(calls, one => Usage.UsageOutcomes.NameOf(one.Record.Outcome)),
                Column(calls, one => one.Record.StatusCode),
                Column(calls, one => one.Record.EndUser),
                Column(calls, one => one.Bytes),
                new() { Value = protector.KeyId },
                Column(calls, one => one.Record.AdmittedAt),
                Column(calls, one => time.GetElapsedTime(one.Since)),
            },
        };
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    private static LoggedBody? Keep(string? type, ReadOnlyMemory<byte>? body, long? bytes, Redaction redaction) =>
        type is null ? null : body is { } read ? RedactBody.Of(type, read, redaction) : new LoggedBody(type, bytes, true, null);

    private static NpgsqlParameter Column<T>(IReadOnlyList<SealedCall> calls, Func<SealedCall, T> value) => new() { Value = calls.Select(value).ToArray() };
}
