using System.Net;

namespace LlmMarketplace.Functional.Calls;

public sealed class BudgetTests(SharedMarketplace shared)
{
    [Fact]
    public async Task Of_a_thousand_calls_at_once_against_a_budget_for_500_exactly_500_go_through()
    {
        var (market, provider) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("thousand");
        var model = await market.ScriptedModelAsync(name, declaration => declaration["pricing"] = Declarations.Pricing("per-request", "request", 0.001m));
        var (consumer, warm) = await market.ConsumerOfAsync(model, tier: "enterprise");
        (await consumer.PutAsync("api/v1/budgets", Declarations.Budget(0.5m))).Expect();
        var key = await Market.KeyAsync(consumer);
        await market.AwaitModelAsync(key, model);
        await Until.TrueAsync("the budget being known", async () => (await market.CallAsync(warm.Text, HttpMethod.Get, "api/v1/quota")).Expect()["organisationBudget"] is not null);

        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(_ => market.ChatAsync(key.Text, model)));

        var counts = answers.CountBy(answer => (answer.Status, answer.ErrorCode)).OrderBy(count => count.Key.Status).ToList();
        Assert.Equal([(HttpStatusCode.OK, null), (HttpStatusCode.TooManyRequests, "insufficient_quota")], counts.Select(count => count.Key));
        Assert.Equal([500, 500], counts.Select(count => count.Value));
        Assert.Equal(500, provider.CallsOf(name));
        var total = await Until.SomethingAsync("500 records", async () =>
            (await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/usage")).Expect()["total"] is { } sum && (int)sum["calls"]! >= 500 ? sum : null);
        Assert.Equal((500, 0.5m), ((int)total["calls"]!, (decimal)total["cost"]!));
        var left = (await consumer.GetAsync("api/v1/quota")).Expect()["organisationBudget"]!;
        Assert.Equal((0.5m, 0m), ((decimal)left["spent"]!, (decimal)left["remaining"]!));
    }
}
