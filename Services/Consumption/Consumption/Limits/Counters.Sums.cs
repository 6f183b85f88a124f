using LlmMarketplace.Consumption.Idempotency;
using Npgsql;

namespace LlmMarketplace.Consumption.Limits;

/// <content>What counters are set to: step 4.</content>
internal sealed partial class Counters
{
    /// <summary>What the records and the open admissions come to.</summary>
    private static async Task SumAsync(NpgsqlConnection connection, Guid organisation, int day, CounterSums into)
    {
        await using var sums = new NpgsqlCommand(
            $"""
            SELECT key_id, {(into.TracksEndUsers ? "end_user, grouping(key_id, end_user)" : "NULL, 0")},
                   coalesce(sum(nanos) FILTER (WHERE day = $2), 0), coalesce(sum(nanos) FILTER (WHERE day / 100 = $2 / 100), 0), coalesce(sum(nanos), 0),
                   coalesce(sum(tokens) FILTER (WHERE day / 100 = $2 / 100), 0), count(*) FILTER (WHERE open)
            FROM (SELECT key_id, end_user, day, nanos::numeric AS nanos, (input_tokens + output_tokens)::numeric AS tokens, false AS open FROM usage_records WHERE organisation_id = $1
                  UNION ALL
                  SELECT key_id, end_user, day, reserved_nanos, reserved_tokens, NOT settled FROM admissions WHERE organisation_id = $1) AS calls
            GROUP BY GROUPING SETS ((key_id), {(into.TracksEndUsers ? "(end_user), " : "")}())
            """,
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = day } },
        };
        await using var reader = await sums.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var (ofDay, ofMonth, total) = (reader.GetDecimal(3), reader.GetDecimal(4), reader.GetDecimal(5));
            if (reader.GetInt32(2) == OfEndUsers)
            {
                if (!await reader.IsDBNullAsync(1))
                {
                    into.AddEndUser(reader.GetString(1), day, ofDay, ofMonth, total);
                }

                continue;
            }

            var field = await reader.IsDBNullAsync(0) ? LimitScripts.OrganisationField : LimitScripts.FieldOf(reader.GetGuid(0));
            into.AddAccount(field, day, ofDay, ofMonth, total, reader.GetDecimal(6), reader.GetInt64(7));
        }
    }

    /// <summary>End users have accounts of their own in Redis only where somebody set a budget for them.</summary>
    private static async Task<bool> TracksEndUsersAsync(NpgsqlConnection connection, Guid organisation, CancellationToken cancellationToken)
    {
        await using var tracks = new NpgsqlCommand("SELECT " + EndUserBudgets, connection) { Parameters = { new() { Value = organisation } } };
        return (bool)(await tracks.ExecuteScalarAsync(cancellationToken))!;
    }

    private static async Task AddOpenAsync(NpgsqlConnection connection, Guid organisation, CounterSums into)
    {
        await using var open = new NpgsqlCommand(
            "SELECT request_id, instance_id, day, admitted_at, reserved_tokens, reserved_nanos, microseconds_per_token, claim FROM admissions WHERE organisation_id = $1 AND NOT settled", connection)
        {
            Parameters = { new() { Value = organisation } },
        };
        await using var reader = await open.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            into.AddOpen(
                reader.GetGuid(0), reader.GetGuid(1), reader.GetInt32(2), reader.GetFieldValue<DateTimeOffset>(3), reader.GetInt64(4), reader.GetInt64(5), reader.GetDouble(6));
            if (!await reader.IsDBNullAsync(7) && reader.GetString(7).Split(' ') is [var claim, var body])
            {
                into.Claims.Add((claim, ClaimState.Text(ClaimState.Open, reader.GetGuid(0), body), Claim.OpenFor));
            }
        }
    }

    /// <summary>Idempotency keys whose calls are complete.</summary>
    private static async Task AddAnswersAsync(NpgsqlConnection connection, Guid organisation, CounterSums into)
    {
        await using var kept = new NpgsqlCommand(
            "SELECT claim, call_id, body, answer IS NOT NULL, expires_at - clock_timestamp() FROM kept_answers WHERE organisation_id = $1 AND expires_at > clock_timestamp()", connection)
        {
            Parameters = { new() { Value = organisation } },
        };
        await using var reader = await kept.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var state = reader.GetBoolean(3) ? ClaimState.Kept : ClaimState.NotKept;
            into.Claims.Add((reader.GetString(0), ClaimState.Text(state, reader.GetGuid(1), reader.GetString(2)), reader.GetTimeSpan(4)));
        }
    }

    private static async Task AddVersionsAsync(NpgsqlConnection connection, Guid organisation, CounterSums into)
    {
        await using var versions = new NpgsqlCommand("SELECT id, version FROM keys WHERE organisation_id = $1 AND version > 0", connection)
        {
            Parameters = { new() { Value = organisation } },
        };
        await using var reader = await versions.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            into.AddVersion(LimitScripts.FieldOf(reader.GetGuid(0)), reader.GetInt64(1));
        }
    }
}
