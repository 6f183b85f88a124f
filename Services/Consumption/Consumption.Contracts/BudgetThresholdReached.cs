using System.Text.Json.Serialization;

namespace LlmMarketplace.Consumption.Contracts;

/// <summary>
/// What was spent of a budget reached 50, 80 or 100 % of it in its period: each told once, by settled calls alone, reservations left out. A budget whose amount is changed is another one, and
/// tells its thresholds anew.
/// </summary>
/// <param name="OrganisationId">Who pays.</param>
/// <param name="Scope">Whose budget it is.</param>
/// <param name="KeyId">The key whose budget it is; of an end user's, the key that sets it for each end user; null otherwise.</param>
/// <param name="EndUser">The end user whose budget it is, or null. Personal data.</param>
/// <param name="Period">When it begins anew.</param>
/// <param name="PeriodStart">First UTC day of the period; null when it never begins anew.</param>
/// <param name="Threshold">In per cent: 50, 80 or 100.</param>
/// <param name="Amount">The budget, in <paramref name="Currency"/>.</param>
/// <param name="Currency">ISO 4217 code.</param>
/// <param name="Spent">What was spent in the period when this was found, to 12 places.</param>
/// <param name="ReachedAt">When this was found: with the record that made it so.</param>
public sealed record BudgetThresholdReached(
    Guid OrganisationId,
    BudgetScope Scope,
    Guid? KeyId,
    string? EndUser,
    SpendingPeriod Period,
    DateOnly? PeriodStart,
    int Threshold,
    decimal Amount,
    string Currency,
    decimal Spent,
    DateTimeOffset ReachedAt);

/// <summary>Whose budget.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BudgetScope>))]
public enum BudgetScope
{
    /// <summary>An organisation's.</summary>
    [JsonStringEnumMemberName("organisation")] Organisation,

    /// <summary>A key's.</summary>
    [JsonStringEnumMemberName("key")] Key,

    /// <summary>An end user's.</summary>
    [JsonStringEnumMemberName("end-user")] EndUser,
}

/// <summary>When a budget begins anew; days and months are UTC's.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SpendingPeriod>))]
public enum SpendingPeriod
{
    /// <summary>Every midnight.</summary>
    [JsonStringEnumMemberName("day")] Day,

    /// <summary>On the first of the month.</summary>
    [JsonStringEnumMemberName("month")] Month,

    /// <summary>Never.</summary>
    [JsonStringEnumMemberName("total")] Total,
}
