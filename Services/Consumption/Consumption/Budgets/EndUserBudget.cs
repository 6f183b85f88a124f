using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>
/// What an end user may spend, by all keys of an organisation together: as set for this one, else as the calling key sets it for each, else as the organisation sets it for each. Without
/// amount once it was taken back, for mirrors follow changes, not absences.
/// </summary>
internal sealed class EndUserBudgetRow
{
    /// <summary>Stands for each end user who has none of its own; no end user has this id.</summary>
    public const string Each = "";

    public required Guid OrganisationId { get; init; }

    /// <summary>Whose, or <see cref="Each"/>.</summary>
    public required string EndUser { get; init; }

    public decimal? Amount { get; set; }

    public string? Currency { get; set; }

    public BudgetPeriod? Period { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    public Budget? Budget => Amount is { } amount ? new Budget(amount, Currency!, Period!.Value) : null;
}

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
