using LlmMarketplace.Consumption.Budgets;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>A key as it is kept: never the key itself. Revoked keys stay, for records name them.</summary>
internal sealed class KeyRow
{
    public required Guid Id { get; init; }

    public required Guid OrganisationId { get; init; }

    /// <summary>The 12 characters that may be shown.</summary>
    public required string Identifier { get; init; }

    public required byte[] Hash { get; set; }

    /// <summary>Of the secret before the last rotation, valid until <see cref="PreviousUntil"/>.</summary>
    public byte[]? PreviousHash { get; set; }

    public DateTimeOffset? PreviousUntil { get; set; }

    /// <summary>Which <c>Keys:ApiKeyHmac</c> made the hash.</summary>
    public required string HashKeyId { get; set; }

    public required string Name { get; set; }

    /// <summary>Names and values by which the organisation groups its keys.</summary>
    public required Dictionary<string, string> Labels { get; set; }

    public required string[] Services { get; set; }

    public required string[] Categories { get; set; }

    public decimal? BudgetAmount { get; set; }

    public string? BudgetCurrency { get; set; }

    public BudgetPeriod? BudgetPeriod { get; set; }

    public required string CreatedBy { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? ExpiresAt { get; set; }

    public DateTimeOffset? SuspendedAt { get; set; }

    public DateTimeOffset? RevokedAt { get; set; }

    /// <summary>When its running calls were ended too, or null: they finish.</summary>
    public DateTimeOffset? CallsEndedAt { get; set; }

    public long? RequestsPerMinute { get; set; }

    public long? TokensPerMinute { get; set; }

    public long? ConcurrentCalls { get; set; }

    /// <summary>Counts changes: admissions know by it whether they know the settings as they are.</summary>
    public long Version { get; set; }

    public KeyLimits Limits
    {
        get => new(RequestsPerMinute, TokensPerMinute, ConcurrentCalls);
        set => (RequestsPerMinute, TokensPerMinute, ConcurrentCalls) = (value.RequestsPerMinute, value.TokensPerMinute, value.ConcurrentCalls);
    }

    public Budget? Budget
    {
        get => BudgetAmount is { } amount ? new Budget(amount, BudgetCurrency!, BudgetPeriod!.Value) : null;
        set => (BudgetAmount, BudgetCurrency, BudgetPeriod) = (value?.Amount, value?.Currency, value?.Period);
    }
}
