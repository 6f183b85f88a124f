using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Invoking;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>
/// Keeps a complete answer before its last bytes leave and before its call is settled:
/// <code>
/// answer complete ─► kept in PostgreSQL ─► outcome in the usage log ─► last bytes leave ─► reservation given back, claim says «kept»
///                                        └ dies here: the call is lost and costs nothing; a repeat gets the answer
/// </code>
/// Of what is too large, that it was complete is kept. Is PostgreSQL away, Redis alone knows, until <see cref="TidyAnswers"/> could tell PostgreSQL too.
/// </summary>
internal sealed partial class KeepAnswer(NpgsqlDataSource database, AnswerProtector protector, TidyAnswers tidy, TimeProvider time, ILogger<KeepAnswer> logger)
{
    /// <summary>How much longer PostgreSQL keeps an answer than Redis says that it is kept.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly string[] Headers = ["x-marketplace-model", "x-marketplace-fallback-from", "x-marketplace-dropped", .. RelayInvocation.Passed];

    /// <summary>Keeps the answer of a call that has a claim, and says what becomes of the claim.</summary>
    public async Task<EndedClaim> KeepAsync(Call call)
    {
        var (claim, organisation, copy) = (call.Claim!, call.Organisation!.Id, call.Copy!);
        var answer = copy.Bytes is { } body ? protector.Protect(organisation, claim.Key, call.Id, new Answer(copy.ContentType!, HeadersOf(call), body, copy.Status)) : null;
        try
        {
            using var patience = new CancellationTokenSource(Patience, time);
            await WriteAsync(database, organisation, claim, call.Id, protector.KeyId, answer, patience.Token).WaitAsync(patience.Token); // Of a server that says nothing, Npgsql takes leave much later.
            tidy.Touched(organisation);
            return new EndedClaim(claim, IsKept: answer is not null);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or OperationCanceledException)
        {
            Log.NotKept(logger, call.Id, away);
            tidy.WriteLater(organisation, claim, call.Id);
            return new EndedClaim(claim, IsKept: false);
        }
    }

    /// <summary>
    /// Writes an answer, or without one that its call was complete. What an earlier call left gives way, for Redis had the key free when this one was admitted; what a later one left stays, whoever
    /// comes late. Ids are in the order of calls (RFC 9562, version 7).
    /// </summary>
    internal static async Task WriteAsync(NpgsqlDataSource database, Guid organisation, Claim claim, Guid call, string? keyId, byte[]? answer, CancellationToken cancellationToken)
    {
        await using var write = database.CreateCommand(
            """
            INSERT INTO kept_answers AS k (organisation_id, claim, body, call_id, key_id, answer, bytes, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), clock_timestamp() + $8)
            ON CONFLICT (organisation_id, claim) DO UPDATE SET body = excluded.body, call_id = excluded.call_id, key_id = excluded.key_id, answer = excluded.answer, bytes = excluded.bytes,
                created_at = excluded.created_at, expires_at = excluded.expires_at WHERE k.expires_at <= excluded.created_at OR k.call_id < excluded.call_id
            """);
        write.Parameters.Add(new() { Value = organisation });
        write.Parameters.Add(new() { Value = claim.Key });
        write.Parameters.Add(new() { Value = claim.Body });
        write.Parameters.Add(new() { Value = call });
        write.Parameters.Add(new() { Value = answer is null ? DBNull.Value : keyId!, NpgsqlDbType = NpgsqlDbType.Text });
        write.Parameters.Add(new() { Value = (object?)answer ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea });
        write.Parameters.Add(new() { Value = answer?.Length ?? 0 });
        write.Parameters.Add(new() { Value = claim.KeptFor + Grace });
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    private static Dictionary<string, string> HeadersOf(Call call)
    {
        var headers = call.Http.Response.Headers;
        return Headers.Where(headers.ContainsKey).ToDictionary(name => name, name => headers[name].ToString());
    }

    private static partial class Log
    {
        [LoggerMessage(5301, LogLevel.Warning, "The answer of call {Call} could not be kept for its idempotency key; a repeat is refused.")]
        public static partial void NotKept(ILogger logger, Guid call, Exception away);
    }
}
