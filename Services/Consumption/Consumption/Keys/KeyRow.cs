using LlmMarketplace.Consumption.Budgets;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>A key as it is kept: never the key itself. Revoked keys stay, for records name them.</summary>
internal sealed class KeyRow
{
    public required Guid Id { get; init; }

    public required Guid OrganisationId { get; init; }

    /// <summary>The 12 characters that may be shown.</summary>
    public required string Identifier { get; init; }

    public required byte[] Hash { get; init; }

    /// <summary>Which <c>Keys:ApiKeyHmac</c> made the hash.</summary>
    public required string HashKeyId { get; init; }

    public required string Name { get; set; }

    public string? Label { get; set; }

    public required string[] Services { get; set; }

    public required string[] Categories { get; set; }

    public decimal? BudgetAmount { get; set; }

    public string? BudgetCurrency { get; set; }

    public BudgetPeriod? BudgetPeriod { get; set; }

    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; set; }

    public DateTimeOffset? RevokedAt { get; set; }

    public Budget? Budget
    {
        get => BudgetAmount is { } amount ? new Budget(amount, BudgetCurrency!, BudgetPeriod!.Value) : null;
        set => (BudgetAmount, BudgetCurrency, BudgetPeriod) = (value?.Amount, value?.Currency, value?.Period);
    }
}
