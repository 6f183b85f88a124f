using LlmMarketplace.Consumption.Budgets;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>Days and months, UTC's.</summary>
internal static class Periods
{
    /// <summary>Until the period after <paramref name="now"/>'s begins; null when there is none.</summary>
    public static TimeSpan? UntilNext(BudgetPeriod period, DateTimeOffset now)
    {
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        return period switch
        {
            BudgetPeriod.Day => today.AddDays(1) - now,
            BudgetPeriod.Month => today.AddDays(1 - today.Day).AddMonths(1) - now,
            _ => null,
        };
    }

    /// <summary>yyyymmdd.</summary>
    public static int Day(DateTimeOffset now) => (now.UtcDateTime.Year * 10_000) + (now.UtcDateTime.Month * 100) + now.UtcDateTime.Day;
}
