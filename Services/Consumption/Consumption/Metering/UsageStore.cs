using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Sla;
using LlmMarketplace.Messaging;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>What goes to PostgreSQL in one transaction.</summary>
/// <param name="Records">Calls that ended.</param>
/// <param name="Open">Calls that were admitted and did not end yet.</param>
/// <param name="WereOpen">Ended calls that PostgreSQL may know as open.</param>
/// <param name="Position">Which log they come from, and up to which sequence; null: from none.</param>
internal sealed record UsageBatch(IReadOnlyList<UsageRecord> Records, IReadOnlyList<AdmissionRow> Open, IReadOnlyCollection<Guid> WereOpen, (Guid Log, long Sequence)? Position);

/// <summary>
/// The usage records in PostgreSQL. A batch is one transaction: records and their events by COPY, open calls, the log's position, what budgets come to, what tells of providers' promises. Writing it twice changes nothing: the call's
/// id is the key. A call that was given up as lost, and whose outcome comes after all, is corrected: the record takes the outcome, the old state goes to
/// <see cref="UsageCorrection"/>, and an event tells both.
/// </summary>
internal sealed partial class UsageStore(NpgsqlDataSource database, Outbox outbox, WatchBudgets budgets, TimeProvider time, ILogger<UsageStore> logger)
{
    private const string DataException = "22"; // A class of states: https://www.postgresql.org/docs/current/errcodes-appendix.html
    private const string RecordColumns =
        "request_id, organisation_id, key_id, listing_id, version_id, provider_organisation_id, service, operation, outcome, status_code, input_tokens, cached_input_tokens, output_tokens, "
        + "usage_counted, cost, currency, nanos, streamed, admitted_at, settled_at, latency_ms, first_byte_ms, day, provider_usage, revision, attempts, service_version, end_user, tags, from_cache, exceeded_reservation";

    /// <summary>Writes a batch. Gives the organisations whose records changed in hindsight: their counters say something else.</summary>
    public async Task<IReadOnlyCollection<Guid>> WriteAsync(UsageBatch batch, CancellationToken cancellationToken)
    {
        for (var (isAllNew, usageAsText) = (true, false); ;)
        {
            try
            {
                return await WriteAsync(batch, isAllNew, usageAsText, cancellationToken);
            }
            catch (PostgresException known) when (isAllNew && known.SqlState == PostgresErrorCodes.UniqueViolation)
            {
                isAllNew = false;
            }
            catch (PostgresException unfit) when (!usageAsText && unfit.SqlState.StartsWith(DataException, StringComparison.Ordinal))
            {
                // Written again, it would be refused again, and hold up all that come after it.
                usageAsText = true;
                Log.Unfit(logger, batch.Records.Count, unfit);
            }
        }
    }

    /// <summary>Up to which sequence a log is shipped.</summary>
    public async Task<long> PositionAsync(Guid log, CancellationToken cancellationToken)
    {
        await using var read = database.CreateCommand("SELECT sequence FROM usage_log_positions WHERE log_id = $1");
        read.Parameters.Add(new NpgsqlParameter { Value = log });
        return await read.ExecuteScalarAsync(cancellationToken) as long? ?? 0;
    }

    private async Task<IReadOnlyCollection<Guid>> WriteAsync(UsageBatch batch, bool isAllNew, bool usageAsText, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var records = batch.Records;
        List<(UsageRecord Record, Known Before)> late = [];
        if (!isAllNew)
        {
            (records, late) = await SortAsync(connection, records, cancellationToken);
            await CorrectAsync(connection, late, cancellationToken);
        }

        await CopyAsync(connection, [.. records, .. late.Select(pair => pair.Record)], usageAsText, cancellationToken);
        await NoteOpenAsync(connection, batch, cancellationToken);
        await budgets.WriteAsync(connection, [.. records, .. late.Select(pair => pair.Record)], cancellationToken);
        await CountForSla.WriteAsync(connection, [.. records, .. late.Select(pair => pair.Record)], cancellationToken);
        await outbox.CopyLastAsync(connection, [.. records.Select(record => (record.RequestId, (long)record.Revision, record.ToEvent()))], cancellationToken);
        await outbox.CopyLastAsync(connection, [.. late.Select(pair => (pair.Record.RequestId, (long)pair.Record.Revision, pair.Before.ToEvent(pair.Record)))], cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return [.. late.Select(pair => pair.Record.OrganisationId).Distinct()];
    }

    /// <summary>Those that have no record yet; and those that were given up, with what their record says. Others are there already.</summary>
    private static async Task<(List<UsageRecord> New, List<(UsageRecord, Known)> Late)> SortAsync(NpgsqlConnection connection, IReadOnlyList<UsageRecord> records, CancellationToken cancellationToken)
    {
        await using var find = new NpgsqlCommand(
            "SELECT request_id, outcome, revision, input_tokens, output_tokens, cost FROM usage_records WHERE request_id = ANY ($1) ORDER BY request_id FOR UPDATE", connection)
        {
            Parameters = { new() { Value = records.Select(record => record.RequestId).ToArray() } },
        };
        var known = new Dictionary<Guid, Known>();
        await using (var reader = await find.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                known[reader.GetGuid(0)] = new Known(Enum.Parse<RequestOutcome>(reader.GetString(1)), reader.GetInt32(2), reader.GetInt64(3), reader.GetInt64(4), reader.GetDecimal(5));
            }
        }

        List<UsageRecord> fresh = [];
        List<(UsageRecord, Known)> late = [];
        foreach (var record in records.DistinctBy(record => record.RequestId))
        {
            if (!known.TryGetValue(record.RequestId, out var before))
            {
                fresh.Add(record);
            }
            else if (before.Outcome == RequestOutcome.Lost && record.Outcome != RequestOutcome.Lost)
            {
                late.Add((record, before));
            }
        }

        return (fresh, late);
    }

    private async Task CorrectAsync(NpgsqlConnection connection, List<(UsageRecord Record, Known Before)> late, CancellationToken cancellationToken)
    {
        if (late.Count == 0)
        {
            return;
        }

        foreach (var (record, before) in late)
        {
            record.Revision = before.Revision + 1;
        }

        await using var keep = new NpgsqlCommand(
            """
            WITH gone AS (DELETE FROM usage_records WHERE request_id = ANY ($1) RETURNING *)
            INSERT INTO usage_corrections (request_id, revision, corrected_at, before) SELECT request_id, revision + 1, $2, to_jsonb(gone) FROM gone
            """,
            connection)
        {
            Parameters = { new() { Value = late.Select(pair => pair.Record.RequestId).ToArray() }, new() { Value = time.GetUtcNow() } },
        };
        await keep.ExecuteNonQueryAsync(cancellationToken);

        // Durable with the correction: should this process die before it builds them anew, somebody else does (Counters.FinishAsync).
        await using var doubt = new NpgsqlCommand(
            "UPDATE counters SET ready = false FROM (SELECT organisation_id FROM counters WHERE organisation_id = ANY ($1) ORDER BY organisation_id FOR UPDATE) AS wrong WHERE counters.organisation_id = wrong.organisation_id",
            connection)
        {
            Parameters = { new() { Value = late.Select(pair => pair.Record.OrganisationId).Distinct().ToArray() } },
        };
        await doubt.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task CopyAsync(NpgsqlConnection connection, IReadOnlyList<UsageRecord> records, bool usageAsText, CancellationToken cancellationToken)
    {
        if (records.Count == 0)
        {
            return;
        }

        await using var copy = await connection.BeginBinaryImportAsync($"COPY usage_records ({RecordColumns}) FROM STDIN (FORMAT binary)", cancellationToken);
        foreach (var r in records)
        {
            await copy.StartRowAsync(cancellationToken);
            await copy.WriteAsync(r.RequestId, cancellationToken);
            await copy.WriteAsync(r.OrganisationId, cancellationToken);
            await copy.WriteAsync(r.KeyId, cancellationToken);
            await copy.WriteAsync(r.ListingId, cancellationToken);
            await copy.WriteAsync(r.VersionId, cancellationToken);
            await copy.WriteAsync(r.ProviderOrganisationId, cancellationToken);
            await copy.WriteAsync(r.Service, cancellationToken);
            await copy.WriteAsync(r.Operation, cancellationToken);
            await copy.WriteAsync(r.Outcome.ToString(), cancellationToken);
            await copy.WriteAsync(r.StatusCode, cancellationToken);
            await copy.WriteAsync(r.InputTokens, cancellationToken);
            await copy.WriteAsync(r.CachedInputTokens, cancellationToken);
            await copy.WriteAsync(r.OutputTokens, cancellationToken);
            await copy.WriteAsync(r.UsageCounted, cancellationToken);
            await copy.WriteAsync(r.Cost, cancellationToken);
            await copy.WriteAsync(r.Currency, cancellationToken);
            await copy.WriteAsync(r.Nanos, cancellationToken);
            await copy.WriteAsync(r.Streamed, cancellationToken);
            await copy.WriteAsync(r.AdmittedAt, cancellationToken);
            await copy.WriteAsync(r.SettledAt, cancellationToken);
            await copy.WriteAsync(r.LatencyMs, cancellationToken);
            await (r.FirstByteMs is { } ms ? copy.WriteAsync(ms, cancellationToken) : copy.WriteNullAsync(cancellationToken));
            await copy.WriteAsync(r.Day, cancellationToken);
            await (r.ProviderUsage is { } told ? copy.WriteAsync(usageAsText ? JsonSerializer.Serialize(told) : told, NpgsqlDbType.Jsonb, cancellationToken) : copy.WriteNullAsync(cancellationToken));
            await copy.WriteAsync(r.Revision, cancellationToken);
            await copy.WriteAsync(JsonSerializer.Serialize(r.Attempts, Json.Options), NpgsqlDbType.Jsonb, cancellationToken);
            await WriteAsync(copy, r.ServiceVersion, cancellationToken);
            await WriteAsync(copy, r.EndUser, cancellationToken);
            await copy.WriteAsync(Text(r.Tags), NpgsqlDbType.Jsonb, cancellationToken);
            await copy.WriteAsync(r.FromCache, cancellationToken);
            await copy.WriteAsync(r.ExceededReservation, cancellationToken);
        }

        await copy.CompleteAsync(cancellationToken);
    }

    private static Task WriteAsync(NpgsqlBinaryImporter copy, string? text, CancellationToken cancellationToken) =>
        text is null ? copy.WriteNullAsync(cancellationToken) : copy.WriteAsync(text, cancellationToken);

    /// <summary>Tags as JSON.</summary>
    public static string Text(IReadOnlyDictionary<string, string> tags) => tags.Count == 0 ? "{}" : JsonSerializer.Serialize(tags, Json.Options);

    private static async Task NoteOpenAsync(NpgsqlConnection connection, UsageBatch batch, CancellationToken cancellationToken)
    {
        await using var commands = new NpgsqlBatch(connection);
        if (batch.WereOpen.Count > 0)
        {
            commands.BatchCommands.Add(new("DELETE FROM admissions WHERE request_id = ANY ($1)") { Parameters = { new() { Value = batch.WereOpen.ToArray() } } });
        }

        if (batch.Open.Count > 0)
        {
            var insert = new NpgsqlBatchCommand(AdmissionColumns.Insert("ON CONFLICT (request_id) DO NOTHING"));
            AdmissionColumns.AddTo(insert.Parameters, [.. batch.Open.Select(admission => new Reported(admission, null))]);
            commands.BatchCommands.Add(insert);
        }

        if (batch.Position is { } position)
        {
            commands.BatchCommands.Add(new(
                "INSERT INTO usage_log_positions (log_id, sequence) VALUES ($1, $2) ON CONFLICT (log_id) DO UPDATE SET sequence = greatest(usage_log_positions.sequence, excluded.sequence)")
            {
                Parameters = { new() { Value = position.Log }, new() { Value = position.Sequence } },
            });
        }

        if (commands.BatchCommands.Count > 0)
        {
            await commands.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    /// <summary>What the record of a call says that is to be corrected.</summary>
    private sealed record Known(RequestOutcome Outcome, int Revision, long InputTokens, long OutputTokens, decimal Cost)
    {
        public RequestCorrected ToEvent(UsageRecord after) => new(after.Revision, Outcome, InputTokens, OutputTokens, Cost, after.ToEvent());
    }

    private static partial class Log
    {
        [LoggerMessage(5115, LogLevel.Critical, "The database does not take a value in one of {Records} usage records: they are written with what their providers told of usage as a text instead of JSON. This is a bug.")]
        public static partial void Unfit(ILogger logger, int records, Exception unfit);
    }
}
