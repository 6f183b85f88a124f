using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Tests.Limits;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ResponseCache;

/// <summary>The cache when PostgreSQL is away, lags, or holds too much; and when it is erased meanwhile.</summary>
public sealed class KeepCachedTests(Marketplace marketplace)
{
    [Fact]
    public async Task Without_PostgreSQL_calls_go_to_the_provider_unharmed_and_what_cannot_be_kept_is_counted()
    {
        var direct = new NpgsqlConnectionStringBuilder(marketplace.Database.AppConnectionString);
        await using var proxy = new Proxy(direct.Port);
        await using var instance = await marketplace.StartInstanceAsync(
            settings: [new("ConnectionStrings:consumption", new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Port = proxy.Port }.ConnectionString), new("ResponseCache:PauseFor", "00:00:00.100")]);
        using var dropped = new Counted(instance, "marketplace.cache.dropped");
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = shop.Key.Client(instance);
        await marketplace.CacheAsync(shop.Member, instance);
        (await CallAsync(Shop.Hello)).Dispose();
        await marketplace.KeptAsync(shop.Member);
        using (var hit = await CallAsync(Shop.Hello))
        {
            Assert.Equal("hit", hit.Header(ServeCached.Header));
        }

        proxy.Cut();
        using var known = await CallAsync(Shop.Hello);
        using var other = await CallAsync(Shop.Hello + ",\"seed\":1");

        Assert.Equal((HttpStatusCode.OK, "miss"), (known.StatusCode, known.Header(ServeCached.Header)));
        Assert.Equal((HttpStatusCode.OK, "miss"), (other.StatusCode, other.Header(ServeCached.Header)));
        Assert.Equal(3, shop.Seen.Count);
        await Until.TrueAsync(() => dropped.Count == 2);

        proxy.Mend();
        await Until.TrueAsync(async () => (await CallAsync(Shop.Hello)).Header(ServeCached.Header) == "hit");

        Task<HttpResponseMessage> CallAsync(string members) => Json.UntilReadyAsync(() => shop.ChatAsync(members, client, isShipped: false));
    }

    [Fact]
    public async Task While_PostgreSQL_says_nothing_a_call_waits_long_for_neither_the_cache_nor_its_idempotency_key_and_the_next_ones_do_without_the_cache()
    {
        var direct = new NpgsqlConnectionStringBuilder(marketplace.Database.AppConnectionString);
        await using var proxy = HoldingProxy.Before($"127.0.0.1:{direct.Port},");
        var through = new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Port = int.Parse(proxy.ConnectionString.Split(':', ',')[1], CultureInfo.InvariantCulture), Timeout = 60 };
        await using var instance = await marketplace.StartInstanceAsync(settings: [new("ConnectionStrings:consumption", through.ConnectionString), new("ResponseCache:LookFor", "00:00:00.100"), new("ResponseCache:PauseFor", "00:10:00")]);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = shop.Key.Client(instance);
        await marketplace.CacheAsync(shop.Member, instance);
        const string Kept = $"{Shop.Hello},\"seed\":1";
        using var other = shop.Key.Client(instance);
        (await Json.UntilReadyAsync(() => shop.ChatAsync(Kept, client, isShipped: false))).Dispose();
        await marketplace.KeptAsync(shop.Member);
        using (var hit = await shop.ChatAsync(Kept, client, isShipped: false))
        {
            Assert.Equal("hit", hit.Header(ServeCached.Header));
        }

        client.DefaultRequestHeaders.Add(ReadClaim.Header, "k");

        proxy.HoldAnswers();
        using var answer = await shop.ChatAsync(client: client, isShipped: false).WaitAsync(TimeSpan.FromSeconds(30)); // Npgsql would take leave after a minute.
        proxy.Release();
        using var next = await shop.ChatAsync(Kept, other, isShipped: false);

        Assert.Equal("miss", next.Header(ServeCached.Header)); // Though it could be found again: it was not looked for.
        Assert.Equal((HttpStatusCode.OK, "miss", "not-kept"), (answer.StatusCode, answer.Header(ServeCached.Header), answer.Header("x-marketplace-idempotency")));
    }

    [Fact]
    public async Task Of_too_many_bytes_the_oldest_answers_go()
    {
        using var shop = await Shop.OpenAsync(marketplace, call => ProviderScripts.Chat(Convert.ToHexString(RandomNumberGenerator.GetBytes(2_000)), 1, 1)(call));
        await marketplace.CacheAsync(shop.Member);
        var calls = new List<Guid>();
        for (var i = 0; i < 4; i++)
        {
            using var answer = await shop.ChatAsync($"{Shop.Hello},\"seed\":{i}");
            calls.Add(answer.RequestId());
            await marketplace.KeptAsync(shop.Member, i + 1);
        }

        var database = marketplace.Service.App.Services.GetRequiredService<NpgsqlDataSource>();
        await using var sum = database.CreateCommand("SELECT sum(bytes) FROM cached_answers WHERE call_id = ANY($1)");
        sum.Parameters.Add(new() { Value = calls[2..].ToArray() });
        var together = (long)(await sum.ExecuteScalarAsync())!;
        using var tidy = new TidyCache(database, Options.Create(new CacheOptions { MaxOrganisationBytes = together + 100 }), TimeProvider.System, NullLogger<TidyCache>.Instance);
        tidy.Touched(shop.Member.Id);
        await tidy.RunAsync(CancellationToken.None);

        Assert.Equal(calls[2..], await marketplace.CachedAsync(shop.Member));
    }

    [Fact]
    public async Task What_was_answered_before_an_erasure_that_it_had_to_wait_for_is_not_kept()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await marketplace.CacheAsync(shop.Member);
        await using var held = await HeldRow.TakeAsync(marketplace, "response_cache_settings", shop.Member.Id);
        using var before = await shop.ChatAsync();
        await held.IsWaitedForAsync();
        await held.ExecuteAsync("UPDATE response_cache_settings SET erased_at = clock_timestamp() WHERE organisation_id = $1", shop.Member.Id);

        await held.EndAsync();

        using var after = await shop.ChatAsync(Shop.Hello + ",\"seed\":1");
        await Until.TrueAsync(async () => (await marketplace.CachedAsync(shop.Member)).Contains(after.RequestId()));
        Assert.Equal([after.RequestId()], await marketplace.CachedAsync(shop.Member));
    }
}
