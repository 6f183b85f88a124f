using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>Calls without a record as columns of arrays, for one INSERT of many.</summary>
internal static class AdmissionColumns
{
    private const string Names =
        "request_id, instance_id, organisation_id, generation, key_id, listing_id, version_id, provider_organisation_id, service, operation, streamed, admitted_at, day, "
        + "reserved_tokens, reserved_nanos, currency, microseconds_per_token, settled, claim";

    /// <summary>The statement. A call that has its record is not open: it is left out.</summary>
    public static string Insert(string onConflict) =>
        $"""
         INSERT INTO admissions ({Names})
         SELECT a.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) AS a ({Names})
         WHERE NOT EXISTS (SELECT FROM usage_records r WHERE r.request_id = a.request_id)
         {onConflict}
         """;

    /// <summary>The values. Of a call that ended, the amounts are those that it came to.</summary>
    public static void AddTo(NpgsqlParameterCollection parameters, IReadOnlyList<Reported> calls)
    {
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.RequestId);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.InstanceId);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.OrganisationId);
        Add(parameters, NpgsqlDbType.Bigint, calls, call => call.Admission.Generation);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.KeyId);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.ListingId);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.VersionId);
        Add(parameters, NpgsqlDbType.Uuid, calls, call => call.Admission.ProviderOrganisationId);
        Add(parameters, NpgsqlDbType.Text, calls, call => call.Admission.Service);
        Add(parameters, NpgsqlDbType.Text, calls, call => call.Admission.Operation);
        Add(parameters, NpgsqlDbType.Boolean, calls, call => call.Admission.Streamed);
        Add(parameters, NpgsqlDbType.TimestampTz, calls, call => call.Admission.AdmittedAt);
        Add(parameters, NpgsqlDbType.Integer, calls, call => call.Admission.Day);
        Add(parameters, NpgsqlDbType.Bigint, calls, call => call.Record is { } record ? record.InputTokens + record.OutputTokens : call.Admission.ReservedTokens);
        Add(parameters, NpgsqlDbType.Bigint, calls, call => call.Record?.Nanos ?? call.Admission.ReservedNanos);
        Add(parameters, NpgsqlDbType.Text, calls, call => call.Admission.Currency);
        Add(parameters, NpgsqlDbType.Double, calls, call => call.Admission.MicrosecondsPerToken);
        Add(parameters, NpgsqlDbType.Boolean, calls, call => call.Record is not null);
        Add(parameters, NpgsqlDbType.Text, calls, call => call.Admission.Claim);
    }

    private static void Add<T>(NpgsqlParameterCollection parameters, NpgsqlDbType type, IReadOnlyList<Reported> calls, Func<Reported, T> column)
    {
        var values = new T[calls.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = column(calls[i]);
        }

        parameters.Add(new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type });
    }
}
