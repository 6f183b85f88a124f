using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>All keys, in memory.</summary>
internal sealed class KeyMirror(KeyRing keys, RunningCalls calls) : TableMirror<Key>
{
    public override string Table => "keys";

    public override string Columns => KeyColumns;

    /// <summary>What <see cref="ReadKey"/> reads.</summary>
    internal const string KeyColumns =
        """
        id, identifier, hash, previous_hash, previous_until, organisation_id, name, expires_at, suspended_at, revoked_at, services, categories,
        requests_per_minute, tokens_per_minute, concurrent_calls, budget_amount, budget_currency, budget_period, version, calls_ended_at
        """;

    public override Key Read(NpgsqlDataReader reader) => ReadKey(reader);

    internal static Key ReadKey(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.GetString(1),
        reader.GetFieldValue<byte[]>(2),
        reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3),
        Time(reader, 4),
        reader.GetGuid(5),
        reader.GetString(6),
        Time(reader, 7),
        Time(reader, 8),
        Time(reader, 9),
        new KeyScopes(reader.GetFieldValue<string[]>(10), reader.GetFieldValue<string[]>(11)),
        new KeyLimits(Number(reader, 12), Number(reader, 13), Number(reader, 14)),
        reader.IsDBNull(15) ? null : new Budget(reader.GetDecimal(15), reader.GetString(16), Enum.Parse<BudgetPeriod>(reader.GetString(17))),
        reader.GetInt64(18),
        Time(reader, 19));

    private static DateTimeOffset? Time(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetFieldValue<DateTimeOffset>(column);

    private static long? Number(NpgsqlDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    public override void Apply(IReadOnlyList<Key> changed)
    {
        keys.Apply(changed);
        calls.EndOf(changed.Where(key => key.CallsEndedAt is not null));
    }
}
