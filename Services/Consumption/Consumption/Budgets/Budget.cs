using System.Text.Json.Serialization;
using LlmMarketplace.Consumption.Pricing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>The most that may be spent in a period.</summary>
/// <param name="Amount">In <paramref name="Currency"/>; at most <see cref="MaxAmount"/>, so that its nano-units stay below 2⁵³ and exact in Redis's scripts.</param>
/// <param name="Currency">ISO 4217 code; <c>USD</c> only for now.</param>
/// <param name="Period">When it begins anew.</param>
internal sealed record Budget(decimal Amount, string Currency, BudgetPeriod Period)
{
    public const decimal MaxAmount = 9_000_000m;

    /// <summary>Nano-units, rounded down: a budget admits what fits into it, not more.</summary>
    [JsonIgnore]
    public long Nanos { get; } = (long)Math.Floor(Math.Clamp(Amount, 0, MaxAmount) * Price.NanosPerUnit);
}

/// <summary>When a budget begins anew; days and months are UTC's.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BudgetPeriod>))]
internal enum BudgetPeriod
{
    /// <summary>Every midnight.</summary>
    [JsonStringEnumMemberName("day")] Day,

    /// <summary>On the first of the month.</summary>
    [JsonStringEnumMemberName("month")] Month,

    /// <summary>Never.</summary>
    [JsonStringEnumMemberName("total")] Total,
}
