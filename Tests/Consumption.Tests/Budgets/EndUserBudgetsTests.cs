using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Tests.Limits;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Budgets;

/// <summary>What end users may spend: each, each by a key, and one of them.</summary>
public sealed class EndUserBudgetsTests(Marketplace marketplace)
{
    [Theory, MemberData(nameof(Kinds))]
    public async Task Each_end_user_may_spend_what_is_set_for_each(RedisKind kind, string period)
    {
        RedisToBreak.SkipIfAbsent(kind);
        await using var instance = await marketplace.StartInstanceAsync(redisConnection: kind == RedisKind.Garnet ? await marketplace.Redis.GarnetAsync() : await marketplace.Redis.RedisServerAsync());
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await SetAsync(shop, "each-end-user", "ann", 0.02m, period, instance);
        using var client = await ClientOfAsync(instance, shop);

        Assert.Equal([200, 200, 429, 429], await CallsAsync(shop, "ann", 4, client));
        Assert.Equal([200, 200, 429], await CallsAsync(shop, "bob", 3, client));
        Assert.Equal([200, 200, 200], await CallsAsync(shop, null, 3, client));

        var refused = await CallAsync(shop, "ann", client);
        Assert.Equal(new OpenAiError(429, "insufficient_quota", "insufficient_quota", null), await refused.ErrorAsync());
        Assert.Contains("the budget of this end user 0 are left", (await refused.JsonAsync()).GetProperty("error").Text("message")!, StringComparison.Ordinal);
        Assert.Equal(("false", period != "total"), (refused.Header("x-should-retry"), refused.Header("retry-after") is not null));
        Assert.Equal((7, 0.07m), await shop.TotalAsync());
    }

    [Fact]
    public async Task Of_one_end_user_s_own_budget_the_key_s_for_each_and_the_organisation_s_for_each_the_first_that_is_there_holds()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var key = await shop.Member.CreateKeyAsync(new { name = "k", endUserBudget = new { amount = 0.02m, currency = "USD", period = "month" } });
        using var byKey = key.Client();
        await SetAsync(shop, "each-end-user", "any", 0.03m);
        await SetAsync(shop, "end-user?id=carl", "carl", 0.01m);

        Assert.Equal([200, 200, 200, 429], await CallsAsync(shop, "ann", 4));
        Assert.Equal([200, 200, 429], await CallsAsync(shop, "bob", 3, byKey));
        Assert.Equal([200, 429], await CallsAsync(shop, "bob", 2)); // 0.02 by the other key count.
        Assert.Equal([200, 429], await CallsAsync(shop, "carl", 2, byKey));

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync("/api/v1/budgets/end-user?id=carl")).StatusCode);
        await KnownAsync(shop, "carl", 0.03m);
        Assert.Equal([200, 200, 429], await CallsAsync(shop, "carl", 3));
        await shop.Member.Client.PatchAsJsonAsync($"/api/v1/keys/{key.Id}", new { endUserBudget = (object?)null });
        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync("/api/v1/budgets/each-end-user")).StatusCode);
        await KnownAsync(shop, "carl", null);
        Assert.Equal([200], await CallsAsync(shop, "carl", 1));
    }

    [Fact]
    public async Task What_was_spent_before_the_budget_was_set_counts_and_so_do_open_calls()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        Assert.Equal([200, 200], await CallsAsync(shop, "ann", 2));
        shop.Answer(ProviderScripts.After(gate.Task, ProviderScripts.Fail(400)));
        var open = Json.UntilReadyAsync(() => shop.Client.PostJsonAsync("/v1/chat/completions", Body(shop, "ann")));
        await Until.TrueAsync(() => shop.Seen.Count == 3);
        shop.Answer(ProviderScripts.Chat("hi", 1, 1));

        await SetAsync(shop, "each-end-user", "ann", 0.04m);
        Assert.Equal([200, 429], await CallsAsync(shop, "ann", 2)); // Two settled, one open, and this.

        gate.SetResult();
        Assert.Equal(400, (int)(await open).StatusCode);
        await Until.TrueAsync(async () => (int)(await CallAsync(shop, "ann")).StatusCode == 200);
        Assert.Equal([429], await CallsAsync(shop, "ann", 1));
    }

    [Fact]
    public async Task A_burst_for_one_end_user_over_two_instances_and_two_keys_is_admitted_exactly_as_far_as_its_budget_goes()
    {
        await using var other = await marketplace.StartInstanceAsync();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await SetAsync(shop, "end-user?id=ann", "ann", 0.25m, "total", other);
        using var there = await ClientOfAsync(other, shop);
        using var second = (await shop.Member.CreateKeyAsync()).Client();

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i =>
            Json.UntilReadyAsync(() => (i % 3 == 0 ? there : i % 3 == 1 ? second : shop.Client).PostJsonAsync("/v1/chat/completions", Body(shop, "ann")))));

        Assert.Equal(25, answers.Count(answer => answer.StatusCode == HttpStatusCode.OK));
        Assert.All(answers, answer => Assert.True((int)answer.StatusCode is 200 or 429));
        Assert.Equal((25, 0.25m), await shop.TotalAsync());
    }

    [Theory]
    [InlineData(RedisKind.Garnet)]
    [InlineData(RedisKind.RedisServer)]
    public async Task When_redis_lost_its_data_end_users_have_spent_what_the_records_say(RedisKind kind)
    {
        await using var redis = await RedisToBreak.StartAsync(kind);
        await using var instance = await marketplace.StartInstanceAsync(redisConnection: redis.ConnectionString);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await SetAsync(shop, "each-end-user", "ann", 0.03m, "total", instance);
        using var client = await ClientOfAsync(instance, shop);
        Assert.Equal([200, 200], await CallsAsync(shop, "ann", 2, client));
        Assert.Equal([200], await CallsAsync(shop, "bob", 1, client));

        await redis.FlushAsync();

        Assert.Equal([200, 429], await CallsAsync(shop, "ann", 2, client));
        Assert.Equal([200, 200, 429], await CallsAsync(shop, "bob", 3, client));
    }

    [Fact]
    public async Task A_call_gives_back_to_its_end_user_what_it_did_not_cost_and_a_refusal_names_what_fits()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 100), Prices.PerMillionTokens(0m, 10m)); // reserves 0.01, costs 0.001
        await SetAsync(shop, "each-end-user", "ann", 0.0115m);

        for (var i = 0; i < 2; i++)
        {
            await Until.TrueAsync(async () => (int)(await CallAsync(shop, "ann")).StatusCode == 200);
        }

        await Until.TrueAsync(async () => (await CallAsync(shop, "ann")) is { StatusCode: HttpStatusCode.TooManyRequests } refused
            && (await refused.Content.ReadAsStringAsync()).Contains("at most 950 it would fit", StringComparison.Ordinal)); // 0.002 spent
    }

    [Fact]
    public async Task Budgets_of_end_users_are_set_read_listed_and_taken_away_by_their_organisation()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var stranger = (await marketplace.AddOrganisationAsync()).Client;
        var client = shop.Member.Client;
        Assert.Equal((404, "not_found"), await (await client.GetAsync("/api/v1/budgets/each-end-user")).ProblemAsync());
        Assert.Equal((404, "not_found"), await (await client.GetAsync("/api/v1/budgets/end-user?id=ann")).ProblemAsync());
        const string odd = "a/b%2F?ü+ c";
        await SetAsync(shop, $"end-user?id={Uri.EscapeDataString(odd)}", odd, 0.05m, "day");
        await SetAsync(shop, "end-user?id=ann", "ann", 1m);
        await SetAsync(shop, "each-end-user", "bob", 2m, "total");
        await CallAsync(shop, odd);

        var own = await client.GetFromJsonAsync<JsonElement>($"/api/v1/budgets/end-user?id={Uri.EscapeDataString(odd)}");
        Assert.Equal((odd, true, "day", 0.01m, 0.04m), (own.Text("endUser"), own.GetProperty("isOwn").GetBoolean(), own.GetProperty("budget").Text("period"), own.GetProperty("budget").GetProperty("spent").GetDecimal(), own.GetProperty("budget").GetProperty("remaining").GetDecimal()));
        var any = await client.GetFromJsonAsync<JsonElement>("/api/v1/budgets/end-user?id=bob");
        Assert.Equal((false, 2m), (any.GetProperty("isOwn").GetBoolean(), any.GetProperty("budget").GetProperty("amount").GetDecimal()));
        Assert.Equal(2m, (await client.GetFromJsonAsync<JsonElement>("/api/v1/budgets/each-end-user")).GetProperty("amount").GetDecimal());
        var first = await client.GetFromJsonAsync<JsonElement>("/api/v1/budgets/end-users?limit=1");
        var second = await client.GetFromJsonAsync<JsonElement>($"/api/v1/budgets/end-users?limit=1&cursor={first.Text("nextCursor")}");
        Assert.Equal([odd, "ann"], new[] { first, second }.Select(page => Assert.Single(page.GetProperty("items").EnumerateArray()).Text("endUser")));
        Assert.Empty((await stranger.GetFromJsonAsync<JsonElement>("/api/v1/budgets/end-users")).GetProperty("items").EnumerateArray());

        Assert.Equal((400, "invalid_end_user"), await (await client.PutAsJsonAsync("/api/v1/budgets/end-user?id=", new { amount = 1, currency = "USD", period = "day" })).ProblemAsync());
        Assert.Equal((400, "invalid_amount"), await (await client.PutAsJsonAsync("/api/v1/budgets/end-user?id=x", new { amount = -1, currency = "USD", period = "day" })).ProblemAsync());
        Assert.Equal((400, "invalid_currency"), await (await client.PutAsJsonAsync("/api/v1/budgets/each-end-user", new { amount = 1, currency = "EUR", period = "day" })).ProblemAsync());
        var key = await client.PostAsJsonAsync("/api/v1/keys", new { name = "k", endUserBudget = new { amount = 1.5m, currency = "USD", period = "day" } });
        Assert.Equal(1.5m, (await key.JsonAsync()).GetProperty("endUserBudget").GetProperty("amount").GetDecimal());
        Assert.Equal(HttpStatusCode.BadRequest, (await client.PostAsJsonAsync("/api/v1/keys", new { name = "k", endUserBudget = new { amount = -1, currency = "USD", period = "day" } })).StatusCode);
    }

    public static MatrixTheoryData<RedisKind, string> Kinds { get; } = new([RedisKind.Garnet, RedisKind.RedisServer], ["day", "month", "total"]);

    private async Task SetAsync(Shop shop, string path, string endUser, decimal amount, string period = "month", TestService? instance = null)
    {
        var answer = await shop.Member.Client.PutAsJsonAsync($"/api/v1/budgets/{path}", new { amount, currency = "USD", period });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await KnownAsync(shop, endUser, amount);
        if (instance is not null)
        {
            await KnownAsync(shop, endUser, amount, instance);
        }
    }

    /// <summary>Waits until an instance knows what an end user may spend by the shop's key.</summary>
    private Task KnownAsync(Shop shop, string endUser, decimal? amount, TestService? instance = null)
    {
        var ring = (instance ?? marketplace.Service).App.Services.GetRequiredService<KeyRing>();
        return Until.TrueAsync(() => ring.Find(shop.Key.Text.Substring(7, 12)) is { } key && ring.BudgetOf(endUser, key)?.Amount == amount);
    }

    private static async Task<HttpClient> ClientOfAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }

    private static string Body(Shop shop, string? endUser) => shop.Body($"\"user\":{JsonSerializer.Serialize(endUser)},{Shop.Hello}");

    private static async Task<HttpResponseMessage> CallAsync(Shop shop, string? endUser, HttpClient? client = null)
    {
        var answer = await Json.UntilReadyAsync(() => (client ?? shop.Client).PostJsonAsync("/v1/chat/completions", Body(shop, endUser)));
        await shop.ShippedAsync();
        return answer;
    }

    private static async Task<List<int>> CallsAsync(Shop shop, string? endUser, int count, HttpClient? client = null)
    {
        var statuses = new List<int>();
        while (statuses.Count < count)
        {
            statuses.Add((int)(await CallAsync(shop, endUser, client)).StatusCode);
        }

        return statuses;
    }
}
