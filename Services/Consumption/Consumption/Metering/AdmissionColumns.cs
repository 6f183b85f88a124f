using System.Text.Json;
using LlmMarketplace.ApiConventions;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>Admissions as columns of arrays, for one INSERT of many; in the order of the statement.</summary>
internal static class AdmissionColumns
{
    public static void AddTo(NpgsqlParameterCollection parameters, IReadOnlyList<AdmissionRow> rows)
    {
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.RequestId);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.InstanceId);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.OrganisationId);
        Add(parameters, NpgsqlDbType.Bigint, rows, row => row.Generation);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.KeyId);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.ListingId);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.VersionId);
        Add(parameters, NpgsqlDbType.Uuid, rows, row => row.ProviderOrganisationId);
        Add(parameters, NpgsqlDbType.Text, rows, row => row.Service);
        Add(parameters, NpgsqlDbType.Text, rows, row => row.Operation);
        Add(parameters, NpgsqlDbType.Boolean, rows, row => row.Streamed);
        Add(parameters, NpgsqlDbType.TimestampTz, rows, row => row.AdmittedAt);
        Add(parameters, NpgsqlDbType.Integer, rows, row => row.Day);
        Add(parameters, NpgsqlDbType.Bigint, rows, row => row.ReservedTokens);
        Add(parameters, NpgsqlDbType.Bigint, rows, row => row.ReservedNanos);
        Add(parameters, NpgsqlDbType.Jsonb, rows, row => JsonSerializer.Serialize(row.Price, Json.Options));
        Add(parameters, NpgsqlDbType.Double, rows, row => row.MicrosecondsPerToken);
    }

    private static void Add<T>(NpgsqlParameterCollection parameters, NpgsqlDbType type, IReadOnlyList<AdmissionRow> rows, Func<AdmissionRow, T> column)
    {
        var values = new T[rows.Count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = column(rows[i]);
        }

        parameters.Add(new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type });
    }
}
