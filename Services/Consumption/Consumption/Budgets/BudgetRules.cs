using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>What a budget may be.</summary>
internal static class BudgetRules
{
    public static IEnumerable<Issue> Check(Budget? budget, string path)
    {
        if (budget is null)
        {
            yield break;
        }

        if (budget.Amount is < 0 or > Budget.MaxAmount || decimal.Round(budget.Amount, 9) != budget.Amount)
        {
            yield return new Issue("invalid_amount", path + "/amount", $"The amount must lie between 0 and {Budget.MaxAmount}, with at most 9 decimal places.");
        }

        if (budget.Currency != "USD")
        {
            yield return new Issue("invalid_currency", path + "/currency", "The currency must be USD: prices are in USD only for now.");
        }
    }
}
