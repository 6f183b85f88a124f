using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.EndUsers;

/// <summary>That an end user's id was taken out, when, and by whom. Who it was stands nowhere.</summary>
internal sealed class Erasure
{
    public required Guid Id { get; init; }

    public required Guid OrganisationId { get; init; }

    /// <summary>HMAC of the id, to know it again in what comes late; null once nothing can come any more.</summary>
    public byte[]? Mark { get; init; }

    /// <summary>What stands in the id's place: the calls of one person stay together.</summary>
    public required string Pseudonym { get; init; }

    public required string RequestedBy { get; init; }

    public required DateTimeOffset RequestedAt { get; init; }

    /// <summary>Usage records that named the person.</summary>
    public required long Records { get; init; }
}

/// <summary>
/// Takes an end user's id out of everything that is kept, and puts a pseudonym in its place: records, what they said before a correction, open admissions, sums and alerts of budgets, events
/// and deliveries of them that are not forgotten yet; the person's own budget ends, and calls that were logged are removed. No amount changes. Counters in Redis, whose fields can be reckoned from ids, are built anew.
/// </summary>
internal sealed class EraseFromStores(Counters counters, IOptions<KeySecrets> secrets, TimeProvider time)
{
    private const string Replace =
        """
        WITH named AS (UPDATE usage_records SET end_user = $3 WHERE organisation_id = $1 AND end_user = $2 AND admitted_at <= $4 RETURNING request_id),
             corrected AS (UPDATE usage_corrections SET before = jsonb_set(before, '{end_user}', to_jsonb($3)) WHERE request_id IN (SELECT request_id FROM named) AND before->>'end_user' = $2),
             told AS (UPDATE messaging.outbox SET data = jsonb_set(data::jsonb, CASE WHEN data->>'endUser' = $2 THEN '{endUser}' ELSE '{record,endUser}' END::text[], to_jsonb($3))::json
                      WHERE topic = ANY ($5) AND $2 IN (data->>'endUser', data->'record'->>'endUser') AND (key IN (SELECT request_id FROM named) OR key = $1)),
             hooked AS (UPDATE webhook_deliveries SET body = jsonb_set(body::jsonb, '{data,endUser}', to_jsonb($3))::json
                        WHERE webhook_id IN (SELECT id FROM webhooks WHERE organisation_id = $1) AND body->'data'->>'endUser' = $2),
             logged AS (DELETE FROM call_logs WHERE organisation_id = $1 AND end_user = $2 AND admitted_at <= $4),
             open AS (UPDATE admissions SET end_user = $3 WHERE organisation_id = $1 AND end_user = $2 AND admitted_at <= $4)
        SELECT count(*) FROM named
        """;

    private const string Sums = "UPDATE {0} SET subject = $3 WHERE organisation_id = $1 AND scope = 'EndUser' AND subject = $2";

    private static readonly string[] Topics = [Contracts.ConsumptionEvents.Requests, Contracts.ConsumptionEvents.Usage];

    /// <summary>By which an id is known again.</summary>
    public byte[] MarkOf(Guid organisation, string endUser) => HMACSHA256.HashData(secrets.Value.ApiKeyHmacBytes, Encoding.UTF8.GetBytes($"end user {organisation:N} {endUser}"));

    /// <summary>Replaces the id in all that was admitted until then.</summary>
    /// <returns>How many records named it.</returns>
    public async Task<long> RunAsync(NpgsqlConnection connection, Guid organisation, string endUser, string pseudonym, DateTimeOffset until, string subject, CancellationToken cancellationToken)
    {
        await Budgets.WatchBudgets.LockAsync(connection, organisation, cancellationToken); // Whoever writes records or sums of the organisation comes before, or after.
        await using var replace = Command(connection, Replace, organisation, endUser, pseudonym);
        replace.Parameters.Add(new() { Value = until });
        replace.Parameters.Add(new() { Value = Topics });
        var records = (long)(await replace.ExecuteScalarAsync(cancellationToken))!;
        foreach (var table in new[] { "budget_spending", "budget_alerts" })
        {
            await using var rename = Command(connection, Sums.Replace("{0}", table, StringComparison.Ordinal), organisation, endUser, pseudonym);
            await rename.ExecuteNonQueryAsync(cancellationToken);
        }

        await using var end = new NpgsqlCommand(
            "UPDATE end_user_budgets SET amount = NULL, currency = NULL, period = NULL, changed_by = $3, changed_at = $4 WHERE organisation_id = $1 AND end_user = $2 AND changed_at <= $5", connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = endUser }, new() { Value = subject }, new() { Value = time.GetUtcNow() }, new() { Value = until } },
        };
        await end.ExecuteNonQueryAsync(cancellationToken);
        return records;
    }

    /// <summary>After the commit.</summary>
    public void RebuildCounters(Guid organisation) => counters.RebuildSoon(organisation);

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, Guid organisation, string endUser, string pseudonym) =>
        new(sql, connection) { Parameters = { new() { Value = organisation }, new() { Value = endUser }, new() { Value = pseudonym } } };
}
