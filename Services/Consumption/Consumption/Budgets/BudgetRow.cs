namespace LlmMarketplace.Consumption.Budgets;

/// <summary>A budget as somebody of an organisation set it; without amount once it was taken back, for mirrors follow changes, not absences.</summary>
internal abstract class BudgetSetting
{
    public required Guid OrganisationId { get; init; }

    public decimal? Amount { get; set; }

    public string? Currency { get; set; }

    public BudgetPeriod? Period { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    public Budget? Budget => Amount is { } amount ? new Budget(amount, Currency!, Period!.Value) : null;
}

/// <summary>An organisation's own budget.</summary>
internal sealed class BudgetRow : BudgetSetting;

/// <summary>What an end user may spend, by all keys of an organisation together: as set for this one, else as the calling key sets it for each, else as the organisation sets it for each.</summary>
internal sealed class EndUserBudgetRow : BudgetSetting
{
    /// <summary>Stands for each end user who has none of its own; no end user has this id.</summary>
    public const string Each = "";

    /// <summary>Whose, or <see cref="Each"/>.</summary>
    public required string EndUser { get; init; }
}
