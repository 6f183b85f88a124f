using System.Net;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

/// <summary>When an address is left alone, as callers see it.</summary>
public sealed class BreakerTests(Marketplace marketplace)
{
    private const int FailuresToOpen = 5;

    [Fact]
    public async Task Streams_cut_after_their_first_byte_open_it()
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678")); // And no end.
        });

        await AssertOpensAsync(shop, "provider_error");
    }

    [Fact]
    public async Task Streams_that_fall_silent_open_it()
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            timeoutMs: 1_000);

        await AssertOpensAsync(shop, "provider_idle_timeout");
    }

    [Fact]
    public async Task A_caller_who_leaves_a_stream_says_nothing_of_the_provider()
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
            await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
        });
        for (var call = 0; call < FailuresToOpen; call++)
        {
            using var left = await shop.StreamAsync();
            using var reader = new StreamReader(await left.Content.ReadAsStreamAsync());
            await reader.ReadLineAsync();
        }

        await Until.TrueAsync(async () => (await shop.TotalAsync()).Calls == FailuresToOpen);
        shop.Answer(ProviderScripts.Chat("hi", 1, 1));

        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync()).StatusCode);
    }

    [Fact]
    public async Task The_one_try_of_a_half_open_address_is_not_lost_when_it_is_the_next_one_to_ask()
    {
        var clock = new FakeTimeProvider();
        var routes = new Routes(clock);
        await using var instance = await StartAsync(routes);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(503));
        var second = Guid.CreateVersion7().ToString("n");
        marketplace.Provider.AnswerBelow(second, ProviderScripts.Chat("hi", 1, 1));
        var version = shop.Listing.Versions[0];
        await marketplace.TellAsync(shop.Listing with
        {
            Versions = [version with { Specification = version.Specification with { Endpoint = version.Specification.Endpoint with { Replicas = [new EndpointReplica("second", $"http://scripted.local/{second}/v1", 0, null)] } } }],
        });
        var catalogue = instance.App.Services.GetRequiredService<Catalogue.Catalogue>();
        await Until.TrueAsync(() => catalogue.Current.Listings.TryGetValue(shop.Model, out var known) && known.Versions[0].Endpoints.Count == 2);
        var known = catalogue.Current.Listings[shop.Model].Versions[0];
        var health = routes.HealthOf(known, known.Endpoints[1]);
        for (var failure = 0; failure < FailuresToOpen; failure++)
        {
            health.Failed();
        }

        clock.Advance(TimeSpan.FromSeconds(31));
        using var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);

        var answer = await shop.ChatAsync(client: client);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var attempts = (await shop.RecordAsync(answer)).GetProperty("attempts").EnumerateArray();
        Assert.Equal([("primary", 503), ("second", 200)], attempts.Select(attempt => (attempt.GetProperty("endpoint").GetString(), attempt.GetProperty("status").GetInt32())));
    }

    [Fact]
    public async Task Of_calls_at_once_to_a_half_open_address_one_tries_it_the_others_are_refused_and_those_that_name_none_go_elsewhere()
    {
        const int calls = 8;
        var clock = new FakeTimeProvider();
        var routes = new Routes(clock);
        await using var instance = await StartAsync(routes);
        var answers = new TaskCompletionSource();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(answers.Task, ProviderScripts.Chat("hi", 1, 1)));
        using var dearer = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), Prices.PerRequest(0.02m));
        var either = await shop.Member.CreateKeyAsync(new { name = "either", scopes = new { services = new[] { shop.Model, dearer.Model }, categories = Array.Empty<string>() } });
        var catalogue = instance.App.Services.GetRequiredService<Catalogue.Catalogue>();
        await Until.TrueAsync(() => catalogue.Current.Listings.ContainsKey(shop.Model) && catalogue.Current.Listings.ContainsKey(dearer.Model));
        using var chooser = either.Client(instance);
        await Until.TrueAsync(async () => (await chooser.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        using var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        HalfOpen(instance, routes, clock, shop);
        var asked = Enumerable.Range(0, calls).Select(_ => shop.ChatAsync(client: client, isShipped: false)).ToArray();
        try
        {
            await Until.TrueAsync(() => asked.Count(call => call.IsCompleted) == calls - 1);
            using var elsewhere = await CheapestAsync();
            Assert.Equal((HttpStatusCode.OK, $"{dearer.Model}@1.0.0"), (elsewhere.StatusCode, elsewhere.Header("x-marketplace-model")));
        }
        finally
        {
            answers.SetResult();
        }

        var all = await Task.WhenAll(asked);
        Assert.Single(all, answer => answer.IsSuccessStatusCode);
        Assert.All(all.Where(answer => !answer.IsSuccessStatusCode), refused => Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)), (refused.StatusCode, refused.Headers.RetryAfter!.Delta)));
        Assert.Single(shop.Seen);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: client)).StatusCode);
        Assert.Equal($"{shop.Model}@1.0.0", (await CheapestAsync()).Header("x-marketplace-model"));
        Assert.Equal(4, (await shop.TotalAsync()).Calls); // Who was refused was not admitted.

        Task<HttpResponseMessage> CheapestAsync() => chooser.PostJsonAsync("/v1/chat/completions", $$"""{"model":"cheapest",{{Shop.Hello}}}""");
    }

    [Fact]
    public async Task Calls_at_once_that_name_no_service_are_all_served_one_of_them_at_the_half_open_address_of_the_best()
    {
        const int calls = 8;
        var (clock, answers) = (new FakeTimeProvider(), new TaskCompletionSource());
        var routes = new Routes(clock);
        await using var instance = await StartAsync(routes);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(answers.Task, ProviderScripts.Chat("hi", 1, 1)));
        using var dearer = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), Prices.PerRequest(0.02m));
        var either = await shop.Member.CreateKeyAsync(new { name = "either", scopes = new { services = new[] { shop.Model, dearer.Model }, categories = Array.Empty<string>() } });
        using var client = either.Client(instance);
        await KnowAsync(client, shop, dearer);
        HalfOpen(instance, routes, clock, shop);

        var asked = Enumerable.Range(0, calls).Select(_ => client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"cheapest",{{Shop.Hello}}}""")).ToArray();
        try
        {
            await Until.TrueAsync(() => asked.Count(call => call.IsCompleted) == calls - 1);
        }
        finally
        {
            answers.SetResult();
        }

        var all = await Task.WhenAll(asked);
        Assert.All(all, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.Single(all, answer => answer.Header("x-marketplace-model") == $"{shop.Model}@1.0.0");
    }

    [Fact]
    public async Task A_call_that_is_not_sent_gives_the_one_try_of_a_half_open_address_back()
    {
        var clock = new FakeTimeProvider();
        var routes = new Routes(clock);
        await using var instance = await StartAsync(routes);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var poor = await marketplace.AddOrganisationAsync();
        await poor.SetBudgetAsync(0.001m);
        using var refused = (await poor.CreateKeyAsync()).Client(instance);
        using var client = shop.Key.Client(instance);
        await KnowAsync(refused, shop);
        await KnowAsync(client, shop);
        await Until.TrueAsync(async () => await shop.ChatAsync(client: refused, isShipped: false) is var answer && await answer.ErrorCodeAsync() == "insufficient_quota");
        HalfOpen(instance, routes, clock, shop);

        Assert.Equal("insufficient_quota", await (await shop.ChatAsync(client: refused, isShipped: false)).ErrorCodeAsync());

        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: client)).StatusCode);
    }

    private Task<TestService> StartAsync(Routes routes) => marketplace.StartInstanceAsync(builder =>
    {
        builder.AddConsumption();
        builder.Services.AddSingleton(routes);
    });

    /// <summary>Waits until an instance knows the caller's key, and these services.</summary>
    private static async Task KnowAsync(HttpClient client, params Shop[] shops)
    {
        foreach (var shop in shops)
        {
            await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        }
    }

    private static void HalfOpen(TestService instance, Routes routes, FakeTimeProvider clock, Shop shop)
    {
        var version = instance.App.Services.GetRequiredService<Catalogue.Catalogue>().Current.Listings[shop.Model].Versions[0];
        var health = routes.HealthOf(version, version.Endpoints[0]);
        for (var failure = 0; failure < FailuresToOpen; failure++)
        {
            health.Failed();
        }

        clock.Advance(TimeSpan.FromSeconds(31));
    }

    /// <summary>Five streams break off, each on its own; the sixth call is not sent.</summary>
    private static async Task AssertOpensAsync(Shop shop, string code)
    {
        for (var call = 0; call < FailuresToOpen; call++)
        {
            using var broken = await shop.StreamAsync();
            Assert.Equal(HttpStatusCode.OK, broken.StatusCode);
            Assert.Contains(code, await broken.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        var refused = await shop.ChatAsync();

        Assert.Equal((503, "provider_unavailable"), ((int)refused.StatusCode, (await refused.ErrorAsync()).Code));
        Assert.Equal(FailuresToOpen, shop.Seen.Count);
    }
}
