using System.Globalization;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Limits;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

public sealed class PeriodsTests
{
    [Theory]
    [InlineData("2026-02-28T23:59:59.9990000Z", "00:00:00.0010000", "00:00:00.0010000")]
    [InlineData("2028-02-28T00:00:00.0000000Z", "1.00:00:00", "2.00:00:00")]
    [InlineData("2026-12-31T12:00:00.0000000Z", "12:00:00", "12:00:00")]
    [InlineData("2026-01-01T00:00:00.0000000Z", "1.00:00:00", "31.00:00:00")]
    [InlineData("2026-01-01T00:30:00.0000000+01:00", "00:30:00", "00:30:00")]
    public void Days_and_months_are_UTCs(string now, string untilDay, string untilMonth)
    {
        var moment = DateTimeOffset.Parse(now, CultureInfo.InvariantCulture);

        Assert.Equal(TimeSpan.Parse(untilDay, CultureInfo.InvariantCulture), Periods.UntilNext(BudgetPeriod.Day, moment));
        Assert.Equal(TimeSpan.Parse(untilMonth, CultureInfo.InvariantCulture), Periods.UntilNext(BudgetPeriod.Month, moment));
        Assert.Null(Periods.UntilNext(BudgetPeriod.Total, moment));
    }

    [Theory]
    [InlineData("2026-11-05T23:59:59Z", 20261105)]
    [InlineData("2026-11-05T23:59:59-02:00", 20261106)]
    public void A_day_is_a_number(string now, int day) => Assert.Equal(day, Periods.Day(DateTimeOffset.Parse(now, CultureInfo.InvariantCulture)));
}
