using System.Globalization;
using System.Net;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>The limits as callers meet them, with the counters in either server.</summary>
public sealed class LimitsOfCallsTests(Marketplace marketplace)
{
    [Theory, MemberData(nameof(Both))]
    public async Task A_burst_is_admitted_then_the_rate_and_who_waits_as_told_gets_in(RedisKind kind)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), tier: OrganisationTier.Basic, maxOutput: 1);
        using var client = await ClientOfAsync(instance, shop);
        var begun = TimeProvider.System.GetTimestamp();

        var answers = await Task.WhenAll(Enumerable.Range(0, 300).Select(_ => shop.ChatAsync(client: client)));

        var admitted = answers.Count(answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.InRange(admitted, 20, 21 + (10 * TimeProvider.System.GetElapsedTime(begun).TotalSeconds));
        var refused = answers.Where(answer => answer.StatusCode != HttpStatusCode.OK).ToArray();
        Assert.NotEmpty(refused);
        foreach (var refusal in refused)
        {
            Assert.Equal(new OpenAiError(429, "requests", "rate_limit_exceeded", null), await refusal.ErrorAsync());
            Assert.Equal(("20", "0"), (refusal.Header("x-ratelimit-limit-requests"), refusal.Header("x-ratelimit-remaining-requests")));
            Assert.InRange(int.Parse(refusal.Header("retry-after-ms")!, CultureInfo.InvariantCulture), 1, 1_000);
            Assert.Equal("1", refusal.Header("retry-after"));
            Assert.Null(refusal.Header("x-should-retry"));
        }

        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        Assert.Equal(admitted + 1, (await shop.TotalAsync()).Calls);
    }

    [Theory, MemberData(nameof(Both))]
    public async Task Tokens_of_open_calls_count_against_the_minute_and_come_back_when_they_were_not_used(RedisKind kind)
    {
        await using var instance = await InstanceAsync(kind);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 1)), tier: OrganisationTier.Premium);
        using var client = await ClientOfAsync(instance, shop);

        Task<HttpResponseMessage> AskAsync(int tokens) => shop.ChatAsync($"\"max_tokens\":{tokens},{Shop.Hello}", client);

        var never = await AskAsync(900_000);
        Assert.Equal(new OpenAiError(429, "tokens", "rate_limit_exceeded", null), await never.ErrorAsync());
        Assert.Equal(("false", null), (never.Header("x-should-retry"), never.Header("retry-after")));

        var open = AskAsync(700_000);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        var refused = await AskAsync(700_000);
        Assert.Equal(new OpenAiError(429, "tokens", "rate_limit_exceeded", null), await refused.ErrorAsync());
        Assert.Equal("800000", refused.Header("x-ratelimit-limit-tokens"));
        Assert.InRange(int.Parse(refused.Header("retry-after-ms")!, CultureInfo.InvariantCulture), 1, 60_000);

        gate.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await open).StatusCode);
        await Until.TrueAsync(async () => (await AskAsync(700_000)).StatusCode == HttpStatusCode.OK);
    }

    [Theory, MemberData(nameof(Both))]
    public async Task A_month_has_so_many_tokens(RedisKind kind)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 40_000, 30_000), tier: OrganisationTier.Basic);
        using var client = await ClientOfAsync(instance, shop);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: client)).StatusCode); // 70 000 used, of 100 000

        await Until.TrueAsync(async () => (await shop.ChatAsync($"\"max_tokens\":30000,{Shop.Hello}", client)).StatusCode != HttpStatusCode.OK);
        var refused = await shop.ChatAsync($"\"max_tokens\":30000,{Shop.Hello}", client);

        Assert.Equal(new OpenAiError(429, "insufficient_quota", "insufficient_quota", null), await refused.ErrorAsync());
        Assert.Equal("false", refused.Header("x-should-retry"));
        Assert.True(int.Parse(refused.Header("retry-after")!, CultureInfo.InvariantCulture) > 0);
        Assert.Single(shop.Seen);
    }

    [Theory, MemberData(nameof(BothAndPeriods))]
    public async Task An_organisations_budget_goes_as_far_as_it_goes(RedisKind kind, string period)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.03m, period);

        await AssertStatusesAsync([200, 200, 200, 429, 429], () => shop.ChatAsync(client: client));

        var refused = await shop.ChatAsync(client: client);
        Assert.Equal(new OpenAiError(429, "insufficient_quota", "insufficient_quota", null), await refused.ErrorAsync());
        Assert.Equal("false", refused.Header("x-should-retry"));
        Assert.Equal(period != "total", refused.Header("retry-after") is not null);
        Assert.Equal((3, 0.03m), await shop.TotalAsync());
        await SetBudgetAsync(shop, instance, 0.05m, period);
        await AssertStatusesAsync([200, 200, 429], () => shop.ChatAsync(client: client));
    }

    [Theory, MemberData(nameof(BothAndPeriods))]
    public async Task A_keys_budget_is_its_own(RedisKind kind, string period)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), key: new { name = "k", budget = new { amount = 0.02m, currency = "USD", period } });
        using var client = await ClientOfAsync(instance, shop);
        using var other = (await shop.Member.CreateKeyAsync()).Client(instance);

        await AssertStatusesAsync([200, 200, 429], () => shop.ChatAsync(client: client));

        Assert.Equal(new OpenAiError(429, "insufficient_quota", "insufficient_quota", null), await (await shop.ChatAsync(client: client)).ErrorAsync());
        await Until.TrueAsync(async () => (await other.GetAsync("/v1/models")).IsSuccessStatusCode);
        await AssertStatusesAsync([200, 200, 200], () => shop.ChatAsync(client: other));
    }

    [Theory, MemberData(nameof(Both))]
    public async Task A_settlement_gives_the_difference_back_exactly(RedisKind kind)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 100), Prices.PerMillionTokens(0m, 10m)); // reserves 0.01, costs 0.001
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.014m);

        for (var i = 0; i < 5; i++)
        {
            await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        }

        Assert.Equal(429, (int)(await shop.ChatAsync(client: client)).StatusCode); // 0.005 + 0.01 > 0.014
        await SetBudgetAsync(shop, instance, 0.015m);
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        Assert.Equal((6, 0.006m), await shop.TotalAsync());
    }

    [Theory, MemberData(nameof(Both))]
    public async Task Failed_and_refused_calls_leave_nothing_reserved(RedisKind kind)
    {
        await using var instance = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500), Prices.PerMillionTokens(0m, 10m)); // 0.01 for 1 000 tokens
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.01m);

        await AssertStatusesAsync([.. Enumerable.Repeat(429, 10)], () => shop.ChatAsync($"\"max_tokens\":1001,{Shop.Hello}", client));
        for (var i = 0; i < 4; i++) // A fifth failure would have the address left alone for half a minute.
        {
            await Until.TrueAsync(async () => (int)(await shop.ChatAsync(client: client)).StatusCode == 502);
        }

        shop.Answer(ProviderScripts.Chat("hi", 1, 1_000));
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        Assert.Equal(429, (int)(await shop.ChatAsync($"\"max_tokens\":1,{Shop.Hello}", client)).StatusCode);
        Assert.Equal((5, 0.01m), await shop.TotalAsync());
    }

    [Theory, MemberData(nameof(Both))]
    public async Task Of_1000_concurrent_calls_over_two_instances_a_budget_for_500_admits_exactly_500(RedisKind kind)
    {
        await using var first = await InstanceAsync(kind);
        await using var second = await InstanceAsync(kind);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), maxOutput: 1);
        using var one = await ClientOfAsync(first, shop);
        using var other = await ClientOfAsync(second, shop);
        await SetBudgetAsync(shop, first, 5m);
        await SetBudgetAsync(shop, second, 5m);

        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => shop.ChatAsync(client: i % 2 == 0 ? one : other)));

        Assert.Equal((500, 500), (answers.Count(answer => (int)answer.StatusCode == 200), answers.Count(answer => (int)answer.StatusCode == 429)));
        Assert.Equal(500, shop.Seen.Count);
        Assert.Equal((500, 5m), await shop.TotalAsync());
        Assert.Equal("insufficient_quota", (await (await shop.ChatAsync(client: one)).ErrorAsync()).Code);
    }

    [Theory, MemberData(nameof(Both))]
    public async Task Counters_that_were_lost_come_back_from_the_records_with_the_open_calls(RedisKind kind)
    {
        await using var redis = await RedisToBreak.StartAsync(kind);
        await using var instance = await marketplace.StartInstanceAsync(redisConnection: redis.ConnectionString);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.10m);
        await AssertStatusesAsync([200, 200, 200], () => shop.ChatAsync(client: client));
        shop.Answer(ProviderScripts.After(gate.Task, ProviderScripts.Fail(400)));
        var open = shop.ChatAsync(client: client);
        await Until.TrueAsync(() => shop.Seen.Count == 4);

        await redis.FlushAsync();

        shop.Answer(ProviderScripts.Chat("hi", 1, 1));
        await AssertStatusesAsync([.. Enumerable.Repeat(200, 6), 429, 429], () => shop.ChatAsync(client: client));
        gate.SetResult();
        Assert.Equal(400, (int)(await open).StatusCode);
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        await AssertStatusesAsync([429, 429], () => shop.ChatAsync(client: client));
        Assert.Equal((11, 0.10m), await shop.TotalAsync());
    }

    [Theory, MemberData(nameof(Both))]
    public async Task Without_redis_nobody_is_admitted_and_when_it_is_back_the_counters_are_what_the_records_say(RedisKind kind)
    {
        await using var redis = await RedisToBreak.StartAsync(kind);
        await using var instance = await marketplace.StartInstanceAsync(redisConnection: redis.ConnectionString);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.10m);
        await AssertStatusesAsync([200, 200, 200], () => shop.ChatAsync(client: client));

        await redis.KillAsync();
        var refused = await shop.ChatAsync(client: client);
        Assert.Equal(new OpenAiError(503, "server_error", "not_ready", null), await refused.ErrorAsync());
        Assert.True(int.Parse(refused.Header("retry-after")!, CultureInfo.InvariantCulture) > 0);
        Assert.Equal(3, shop.Seen.Count);
        await redis.StartAsync();

        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        await AssertStatusesAsync([.. Enumerable.Repeat(200, 6), 429, 429], () => shop.ChatAsync(client: client));
        Assert.Equal((10, 0.10m), await shop.TotalAsync());
    }

    [Theory, MemberData(nameof(Both))]
    public async Task A_call_that_is_settled_while_redis_is_away_counts_once(RedisKind kind)
    {
        await using var redis = await RedisToBreak.StartAsync(kind);
        await using var instance = await marketplace.StartInstanceAsync(redisConnection: redis.ConnectionString);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 100)), Prices.PerMillionTokens(0m, 10m)); // reserves 0.01, costs 0.001
        using var client = await ClientOfAsync(instance, shop);
        await SetBudgetAsync(shop, instance, 0.0115m);
        var open = shop.ChatAsync(client: client);
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        await redis.KillAsync();
        gate.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await open).StatusCode);
        Assert.Equal((1, 0.001m), await shop.TotalAsync());
        await redis.StartAsync();

        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK); // 0.001 + 0.01
        Assert.Equal(429, (int)(await shop.ChatAsync(client: client)).StatusCode); // 0.002 + 0.01
        Assert.Equal((2, 0.002m), await shop.TotalAsync());
    }

    public static TheoryData<RedisKind> Both { get; } = [RedisKind.Garnet, RedisKind.RedisServer];

    public static MatrixTheoryData<RedisKind, string> BothAndPeriods { get; } = new([RedisKind.Garnet, RedisKind.RedisServer], ["day", "month", "total"]);

    private async Task<TestService> InstanceAsync(RedisKind kind)
    {
        RedisToBreak.SkipIfAbsent(kind);
        return await marketplace.StartInstanceAsync(redisConnection: kind == RedisKind.Garnet ? await marketplace.Redis.GarnetAsync() : await marketplace.Redis.RedisServerAsync());
    }

    /// <summary>A client of an instance, once that one knows key and service.</summary>
    private static async Task<HttpClient> ClientOfAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }

    private static async Task SetBudgetAsync(Shop shop, TestService instance, decimal amount, string period = "total")
    {
        await shop.Member.SetBudgetAsync(amount, period);
        await Marketplace.KnowsBudgetAsync(instance, shop.Member.Id, amount);
    }

    /// <summary>One call after the other.</summary>
    private static async Task AssertStatusesAsync(int[] expected, Func<Task<HttpResponseMessage>> call)
    {
        var statuses = new List<int>();
        while (statuses.Count < expected.Length)
        {
            statuses.Add((int)(await call()).StatusCode);
        }

        Assert.Equal(expected, statuses);
    }
}
