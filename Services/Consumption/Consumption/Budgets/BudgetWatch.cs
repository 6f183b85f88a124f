using System.Globalization;
using LlmMarketplace.Consumption.Contracts;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>What was spent in a period by whom; there once a budget asked for it, and exact from then on.</summary>
internal sealed class BudgetSpendingRow
{
    public required Guid OrganisationId { get; init; }

    public required BudgetScope Scope { get; init; }

    /// <summary>A key's or end user's id; empty: the organisation itself.</summary>
    public required string Subject { get; init; }

    /// <summary>yyyymmdd of the day, yyyymm00 of the month, or 0: ever.</summary>
    public required int PeriodStart { get; init; }

    public required decimal Spent { get; init; }
}

/// <summary>Up to which threshold a budget was told in a period.</summary>
internal sealed class BudgetAlertRow
{
    public required Guid OrganisationId { get; init; }

    public required BudgetScope Scope { get; init; }

    public required string Subject { get; init; }

    /// <summary>The key that sets an end user's budget; empty: it is the end user's own or the organisation's.</summary>
    public required string SetBy { get; init; }

    public required int PeriodStart { get; init; }

    /// <summary>Of the budget that was told; another amount is another budget.</summary>
    public required decimal Amount { get; init; }

    /// <summary>In per cent.</summary>
    public required int Threshold { get; init; }
}

/// <summary>Whose spending, in which period.</summary>
internal readonly record struct Spending(Guid Organisation, BudgetScope Scope, string Subject, int PeriodStart)
{
    private static readonly BudgetPeriod[] Periods = Enum.GetValues<BudgetPeriod>();

    /// <summary>First and last day (yyyymmdd) that count.</summary>
    public (int From, int To) Days => PeriodStart == 0 ? (0, int.MaxValue) : PeriodStart % 100 == 0 ? (PeriodStart, PeriodStart + 99) : (PeriodStart, PeriodStart);

    public static int Start(BudgetPeriod period, int day) => period switch
    {
        BudgetPeriod.Day => day,
        BudgetPeriod.Month => day / 100 * 100,
        _ => 0,
    };

    /// <summary>All that a charge of <paramref name="day"/> belongs to.</summary>
    public static IEnumerable<Spending> Of(Guid organisation, Guid key, string? endUser, int day)
    {
        foreach (var period in Periods)
        {
            var start = Start(period, day);
            yield return new Spending(organisation, BudgetScope.Organisation, "", start);
            yield return new Spending(organisation, BudgetScope.Key, key.ToString(), start);
            if (endUser is not null)
            {
                yield return new Spending(organisation, BudgetScope.EndUser, endUser, start);
            }
        }
    }
}

/// <summary>A budget in the period that a charge belongs to.</summary>
/// <param name="Of">Whose, and which period.</param>
/// <param name="SetBy">The key that sets an end user's budget, or empty.</param>
/// <param name="Budget">The budget.</param>
internal sealed record WatchedBudget(Spending Of, string SetBy, Budget Budget)
{
    private static readonly int[] Thresholds = [50, 80, 100];

    /// <summary>The highest threshold reached, in per cent, or 0.</summary>
    public int Reached(decimal spent) => Thresholds.LastOrDefault(threshold => spent * 100 >= Budget.Amount * threshold);

    /// <summary>What is to be told.</summary>
    /// <param name="told">Up to which threshold it was told before.</param>
    /// <param name="spent">What is spent.</param>
    /// <param name="now">When.</param>
    public IEnumerable<BudgetThresholdReached> Events(int told, decimal spent, DateTimeOffset now) => Thresholds
        .Where(threshold => threshold > told && threshold <= Reached(spent))
        .Select(threshold => new BudgetThresholdReached(
            Of.Organisation,
            Of.Scope,
            Of.Scope == BudgetScope.Key ? Guid.Parse(Of.Subject) : SetBy.Length > 0 ? Guid.Parse(SetBy) : null,
            Of.Scope == BudgetScope.EndUser ? Of.Subject : null,
            Enum.Parse<SpendingPeriod>(Budget.Period.ToString()),
            Of.PeriodStart == 0 ? null : DateOnly.ParseExact((Of.PeriodStart % 100 == 0 ? Of.PeriodStart + 1 : Of.PeriodStart).ToString(CultureInfo.InvariantCulture), "yyyyMMdd", CultureInfo.InvariantCulture),
            threshold,
            Budget.Amount,
            Budget.Currency,
            spent,
            now));
}
