using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>A budget of an end user, in memory.</summary>
/// <param name="Organisation">Of which organisation.</param>
/// <param name="EndUser">Whose, or <see cref="EndUserBudgetRow.Each"/>.</param>
/// <param name="Budget">Null: taken back.</param>
internal readonly record struct KnownEndUserBudget(Guid Organisation, string EndUser, Budget? Budget);

/// <summary>The end users' budgets, in memory.</summary>
internal sealed class EndUserBudgetMirror(KeyRing keys) : TableMirror<KnownEndUserBudget>
{
    public override string Table => "end_user_budgets";

    public override string Columns => "organisation_id, end_user, amount, currency, period";

    public override KnownEndUserBudget Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.GetString(1),
        reader.IsDBNull(2) ? null : new Budget(reader.GetDecimal(2), reader.GetString(3), Enum.Parse<BudgetPeriod>(reader.GetString(4))));

    public override void Apply(IReadOnlyList<KnownEndUserBudget> changed) => keys.Apply(changed);
}
