using System.Net;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Servers;
using StackExchange.Redis;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>Redis away, where the operator chose that calls go on: an instance admits its share, and all of it is in the counters once Redis is back. A call of these tests costs 0.01.</summary>
public sealed class OpenAdmissionsTests(Marketplace marketplace)
{
    private const decimal Budget = 0.10m;

    [Theory, MemberData(nameof(LimitsOfCallsTests.Both), MemberType = typeof(LimitsOfCallsTests))]
    public async Task Without_redis_an_instance_admits_its_share_of_a_budget_and_no_more_however_often_redis_goes(RedisKind kind)
    {
        await using var redis = await RedisToBreak.StartAsync(kind);
        await using var instance = await OpenInstanceAsync(redis.ConnectionString);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        await CallAsync(shop, client, 200, 200);

        await redis.KillAsync();
        await CallAsync(shop, client, 200, 200, 503);
        await redis.StartAsync();
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        Assert.Equal(6 * Budget / 10, (await shop.TotalAsync()).Cost);

        await redis.KillAsync();
        await CallAsync(shop, client, 503);
        await redis.StartAsync();
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        await CallAsync(shop, client, 200, 200, 200, 429);
        Assert.Equal((10, Budget), await shop.TotalAsync());
        Assert.Equal(10, shop.Seen.Count);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task What_was_admitted_without_redis_counts_when_a_redis_that_kept_its_counters_is_reached_again(bool arrivedThere)
    {
        var redis = await marketplace.Redis.GarnetAsync();
        await using var proxy = HoldingProxy.Before(redis);
        await using var instance = await OpenInstanceAsync(proxy.ConnectionString);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        await CallAsync(shop, client, 200, 200);

        (arrivedThere ? proxy.HoldAnswers : (Action)proxy.HoldRequests)();
        await CallAsync(shop, client, 200, 200);
        proxy.Release();

        await using var direct = await ConnectionMultiplexer.ConnectAsync(redis);
        await Until.TrueAsync(async () => ((string?)await direct.GetDatabase().HashGetAsync(LimitScripts.KeyOf(shop.Member.Id), LimitScripts.OrganisationField))!.Split(' ')[3] == "50000000");
        await CallAsync(shop, client, 200, 200, 200, 200, 200, 429);
        Assert.Equal((10, Budget), await shop.TotalAsync());
    }

    [Fact]
    public async Task Without_redis_nobody_can_say_whether_a_call_was_made_before_and_one_with_an_idempotency_key_is_not_admitted()
    {
        await using var proxy = HoldingProxy.Before(await marketplace.Redis.GarnetAsync());
        await using var instance = await OpenInstanceAsync(proxy.ConnectionString);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await ClientOfAsync(instance, shop);
        proxy.HoldRequests();
        await CallAsync(shop, client, 200);

        client.DefaultRequestHeaders.Add("Idempotency-Key", "once");
        await CallAsync(shop, client, 503);
        client.DefaultRequestHeaders.Remove("Idempotency-Key");
        await CallAsync(shop, client, 200);
        Assert.Equal(3, shop.Seen.Count);
    }

    private Task<TestService> OpenInstanceAsync(string redis) => marketplace.StartInstanceAsync(
        redisConnection: redis,
        settings: [new("Limits:WhenAway", "Open"), new("Limits:OpenShare", "0.2"), new("Limits:Timeout", "00:00:02"), new("Limits:TripTimeout", "00:00:00.300")]);

    /// <summary>A client of the instance, once that one knows key, service and the organisation's budget, and has the counters: one call was made.</summary>
    private static async Task<HttpClient> ClientOfAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        await shop.Member.SetBudgetAsync(Budget, "total");
        await Marketplace.KnowsBudgetAsync(instance, shop.Member.Id, Budget);
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.OK);
        return client;
    }

    private static async Task CallAsync(Shop shop, HttpClient client, params int[] expected)
    {
        var statuses = new List<int>();
        while (statuses.Count < expected.Length)
        {
            statuses.Add((int)(await shop.ChatAsync(client: client)).StatusCode);
        }

        Assert.Equal(expected, statuses);
    }
}
