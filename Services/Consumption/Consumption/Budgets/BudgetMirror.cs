using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>The organisations' budgets, in memory.</summary>
internal sealed class BudgetMirror(KeyRing keys) : TableMirror<KeyValuePair<Guid, Budget?>>
{
    public override string Table => "budgets";

    public override string Columns => "organisation_id, amount, currency, period";

    public override KeyValuePair<Guid, Budget?> Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.IsDBNull(1) ? null : new Budget(reader.GetDecimal(1), reader.GetString(2), Enum.Parse<BudgetPeriod>(reader.GetString(3))));

    public override void Apply(IReadOnlyList<KeyValuePair<Guid, Budget?>> changed) => keys.Apply(changed);
}
