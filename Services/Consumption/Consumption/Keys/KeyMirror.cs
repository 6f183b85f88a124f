using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>All keys, in memory.</summary>
internal sealed class KeyMirror(KeyRing keys) : TableMirror<Key>
{
    public override string Table => "keys";

    public override string Columns => "id, identifier, hash, organisation_id, expires_at, revoked_at, services, categories, budget_amount, budget_currency, budget_period";

    public override Key Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.GetString(1),
        reader.GetFieldValue<byte[]>(2),
        reader.GetGuid(3),
        reader.IsDBNull(4) ? null : reader.GetFieldValue<DateTimeOffset>(4),
        reader.IsDBNull(5) ? null : reader.GetFieldValue<DateTimeOffset>(5),
        new KeyScopes(reader.GetFieldValue<string[]>(6), reader.GetFieldValue<string[]>(7)),
        reader.IsDBNull(8) ? null : new Budget(reader.GetDecimal(8), reader.GetString(9), Enum.Parse<BudgetPeriod>(reader.GetString(10))));

    public override void Apply(IReadOnlyList<Key> changed) => keys.Apply(changed);
}
