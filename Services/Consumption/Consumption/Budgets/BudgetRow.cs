namespace LlmMarketplace.Consumption.Budgets;

/// <summary>An organisation's own budget; without amount once it was taken back, for mirrors follow changes, not absences.</summary>
internal sealed class BudgetRow
{
    public required Guid OrganisationId { get; init; }

    public decimal? Amount { get; set; }

    public string? Currency { get; set; }

    public BudgetPeriod? Period { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    public Budget? Budget => Amount is { } amount ? new Budget(amount, Currency!, Period!.Value) : null;
}
