using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>A second instance with a provider of its own: keys are managed in the first, and used here.</summary>
public sealed class OtherInstance(Marketplace marketplace) : IAsyncLifetime
{
    public ScriptableProvider Provider { get; private set; } = null!;

    public TestService Service { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Provider = await ScriptableProvider.StartAsync();
        Service = await marketplace.StartInstanceAsync(builder =>
        {
            builder.Configuration.AddInMemoryCollection([new("Providers:Local:scripted:Address", Provider.Address)]);
            builder.AddConsumption();
        });
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await Provider.DisposeAsync();
    }
}

public sealed partial class KeySettingsTests(Marketplace marketplace, OtherInstance other) : IClassFixture<OtherInstance>
{
    [Theory]
    [InlineData("revoke", HttpStatusCode.Unauthorized, "revoked_api_key")]
    [InlineData("suspend", HttpStatusCode.Forbidden, "suspended_api_key")]
    [InlineData("rotate", HttpStatusCode.Unauthorized, "invalid_api_key")]
    [InlineData("scope", HttpStatusCode.Forbidden, "out_of_scope")]
    [InlineData("limit", HttpStatusCode.TooManyRequests, "rate_limit_exceeded")]
    [InlineData("budget", HttpStatusCode.TooManyRequests, "insufficient_quota")]
    public async Task What_was_changed_holds_at_once_in_an_instance_that_has_not_heard_of_it(string change, HttpStatusCode status, string code)
    {
        var (member, key, model) = await WithKeyAsync();
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(key, model)).StatusCode);
        var ring = other.Service.App.Services.GetRequiredService<KeyRing>();
        var before = Find(ring, key);

        var changed = change switch
        {
            "revoke" => await member.Client.DeleteAsync($"/api/v1/keys/{key.Id}"),
            "rotate" => await member.Client.PostAsJsonAsync($"/api/v1/keys/{key.Id}/rotate", new { overlapSeconds = 0 }),
            "scope" => await PatchAsync(member, key, new { scopes = new { services = new[] { "acme/another" }, categories = Array.Empty<string>() } }),
            "limit" => await PatchAsync(member, key, new { limits = new { tokensPerMinute = 1 } }),
            "budget" => await PatchAsync(member, key, new { budget = new { amount = 0.000000001m, currency = "USD", period = "total" } }),
            _ => await member.Client.PostAsync($"/api/v1/keys/{key.Id}/suspend", null),
        };
        Assert.True(changed.IsSuccessStatusCode, await changed.Content.ReadAsStringAsync());
        await Until.TrueAsync(() => Find(ring, key).Version > before.Version);
        ring.Apply([before]); // As if it had not heard.

        var answer = await CallAsync(key, model);
        Assert.Equal((status, code), (answer.StatusCode, await CodeAsync(answer)));
    }

    [Fact]
    public async Task A_suspended_key_works_again_once_it_is_resumed()
    {
        var (member, key, model) = await WithKeyAsync();
        await member.Client.PostAsync($"/api/v1/keys/{key.Id}/suspend", null);
        Assert.Equal("suspended", (await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys/{key.Id}")).GetProperty("status").GetString());
        Assert.Equal(HttpStatusCode.Forbidden, (await CallAsync(key, model)).StatusCode);

        await member.Client.PostAsync($"/api/v1/keys/{key.Id}/resume", null);

        await Until.TrueAsync(async () => (await CallAsync(key, model)).IsSuccessStatusCode);
    }

    [Fact]
    public async Task After_a_rotation_both_secrets_work_until_the_older_is_ended()
    {
        var (member, key, model) = await WithKeyAsync();

        var rotated = await member.Client.PostAsync($"/api/v1/keys/{key.Id}/rotate", null);
        var view = await rotated.Content.ReadFromJsonAsync<JsonElement>();
        var next = key with { Text = view.GetProperty("key").GetString()! };
        Assert.Equal((key.Id, key.Text[..19]), (view.GetProperty("id").GetGuid(), next.Text[..19]));
        Assert.True(rotated.Headers.CacheControl!.NoStore);
        Assert.InRange(view.GetProperty("previousSecretUntil").GetDateTimeOffset(), DateTimeOffset.UnixEpoch, TimeProvider.System.GetUtcNow().AddHours(24));
        Assert.False((await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys/{key.Id}")).TryGetProperty("key", out _));
        await Until.TrueAsync(async () => (await CallAsync(next, model)).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(key, model)).StatusCode);

        Assert.Equal(HttpStatusCode.NoContent, (await member.Client.DeleteAsync($"/api/v1/keys/{key.Id}/previous-secret")).StatusCode);
        Assert.Equal("invalid_api_key", await CodeAsync(await CallAsync(key, model)));
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(next, model)).StatusCode);
    }

    [Fact]
    public async Task A_key_s_own_request_rate_refuses_and_says_when_to_come_back()
    {
        var (_, key, model) = await WithKeyAsync(new { name = "slow", limits = new { requestsPerMinute = 2 } });

        var answers = new List<HttpResponseMessage>();
        for (var i = 0; i < 3; i++)
        {
            answers.Add(await CallAsync(key, model));
        }

        Assert.Equal([200, 200, 429], answers.Select(answer => (int)answer.StatusCode));
        Assert.Equal(["2", "2", "2"], answers.Select(answer => answer.Headers.GetValues("x-ratelimit-limit-requests").Single()));
        Assert.Equal(["1", "0", "0"], answers.Select(answer => answer.Headers.GetValues("x-ratelimit-remaining-requests").Single()));
        Assert.InRange(answers[2].Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        Assert.False(answers[2].Headers.Contains("x-should-retry"));
    }

    [Fact]
    public async Task A_key_s_open_calls_are_limited_until_one_ends()
    {
        var (_, key, model) = await WithKeyAsync(new { name = "narrow", limits = new { concurrentCalls = 1 } });
        var gate = new TaskCompletionSource();
        other.Provider.Answer = ProviderScripts.After(gate.Task, ProviderScripts.Embedding(3));
        var running = CallAsync(key, model);
        await Until.TrueAsync(async () => (await StandingAsync(key)).GetProperty("open_calls").GetInt64() == 1);

        var refused = await CallAsync(key, model);
        Assert.Equal((HttpStatusCode.TooManyRequests, "concurrency_limit_exceeded"), (refused.StatusCode, await CodeAsync(refused)));
        Assert.True(refused.Headers.Contains("retry-after"));
        gate.SetResult();
        Assert.Equal(HttpStatusCode.OK, (await running).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(key, model)).StatusCode);
    }

    [Fact]
    public async Task A_refusal_by_budget_names_the_largest_output_that_fits_and_that_is_admitted()
    {
        other.Provider.Answer = ProviderScripts.Chat("hello", 5, 5);
        var service = await marketplace.AddServiceAsync(Prices.PerMillionTokens(1m, 4m));
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "poor", budget = new { amount = 0.001m, currency = "USD", period = "total" } });

        var refused = await ChatAsync(key, service, 1_000_000);
        Assert.Equal((HttpStatusCode.TooManyRequests, "insufficient_quota"), (refused.StatusCode, await CodeAsync(refused)));
        Assert.Equal("false", refused.Headers.GetValues("x-should-retry").Single());
        var affordable = int.Parse(AtMost().Match(await refused.Content.ReadAsStringAsync()).Groups[1].Value, CultureInfo.InvariantCulture);

        // The longer number made the body longer, by which input is bounded: what was named is what is left after that.
        Assert.Equal(HttpStatusCode.TooManyRequests, (await ChatAsync(key, service, affordable + 2)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await ChatAsync(key, service, affordable)).StatusCode);
    }

    [Theory]
    [InlineData("max_tokens")]
    [InlineData("max_completion_tokens")]
    public async Task The_output_that_a_refusal_names_is_admitted_when_the_refused_call_had_named_none(string member)
    {
        other.Provider.Answer = ProviderScripts.Chat("hello", 5, 5);
        var service = await marketplace.AddServiceAsync(Prices.PerMillionTokens(1m, 4m));
        var key = await (await marketplace.AddOrganisationAsync()).CreateKeyAsync(new { name = "poor", budget = new { amount = 0.001m, currency = "USD", period = "total" } });

        var refused = await ChatAsync(key, service, null);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        var affordable = int.Parse(AtMost().Match(await refused.Content.ReadAsStringAsync()).Groups[1].Value, CultureInfo.InvariantCulture);

        Assert.Equal(HttpStatusCode.OK, (await ChatAsync(key, service, affordable, member)).StatusCode);
    }

    [Fact]
    public async Task A_key_tells_its_limits_and_what_is_left_of_them()
    {
        var (_, key, model) = await WithKeyAsync(new
        {
            name = "curious",
            limits = new { requestsPerMinute = 100, tokensPerMinute = 5_000, concurrentCalls = 7 },
            budget = new { amount = 1.5m, currency = "USD", period = "month" },
        });
        other.Provider.Answer = ProviderScripts.Embedding(3);
        Assert.Equal(HttpStatusCode.OK, (await CallAsync(key, model)).StatusCode);

        await Until.TrueAsync(async () => (await StandingAsync(key)).GetProperty("open_calls").GetInt64() == 0); // Settled here, too.
        using var client = key.Client(other.Service);
        var told = await client.GetFromJsonAsync<JsonElement>("/v1/key");
        var own = told.GetProperty("key");
        Assert.Equal((key.Id, "curious", key.Text[..19]), (told.GetProperty("id").GetGuid(), told.GetProperty("name").GetString(), told.GetProperty("prefix").GetString()));
        Assert.Equal((1.5m, 1.49m, "month"), (own.GetProperty("budget").GetProperty("amount").GetDecimal(), own.GetProperty("budget").GetProperty("remaining").GetDecimal(), own.GetProperty("budget").GetProperty("period").GetString()));
        Assert.Equal((100, 7, 0), (own.GetProperty("requests_per_minute").GetProperty("limit").GetInt64(), own.GetProperty("concurrent_calls").GetInt64(), own.GetProperty("open_calls").GetInt64()));
        Assert.Equal(5_000, own.GetProperty("tokens_per_minute").GetProperty("limit").GetInt64());
        Assert.Equal(1_000_000_000 - 3, told.GetProperty("organisation").GetProperty("tokens_per_month").GetProperty("remaining").GetInt64());
        Assert.Equal(HttpStatusCode.Unauthorized, (await other.Service.Client.GetAsync("/v1/key")).StatusCode);
    }

    [Fact]
    public async Task Cost_and_what_is_left_of_the_budget_are_told_to_callers_who_ask()
    {
        var (_, key, model) = await WithKeyAsync(new { name = "thrifty", budget = new { amount = 0.025m, currency = "USD", period = "day" } });
        using var client = key.Client(other.Service);

        Assert.False((await client.PostAsJsonAsync("/v1/embeddings", new { model, input = "hello" })).Headers.Contains("x-marketplace-cost"));
        client.DefaultRequestHeaders.Add("x-marketplace-include", "usage, cost");
        var told = (await client.PostAsJsonAsync("/v1/embeddings", new { model, input = "hello" })).Headers;

        Assert.Equal(("0.01", "USD", "0.005"), (told.GetValues("x-marketplace-cost").Single(), told.GetValues("x-marketplace-currency").Single(), told.GetValues("x-marketplace-budget-remaining").Single()));
    }

    [Fact]
    public async Task Limits_and_labels_are_merged_and_checked()
    {
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(new { name = "labelled", labels = new { team = "search", stage = "test" }, limits = new { requestsPerMinute = 5, tokensPerMinute = 6 } });

        var changed = await PatchAsync(member, key, new { labels = new Dictionary<string, string?> { ["stage"] = null, ["cost-centre"] = "7" }, limits = new Dictionary<string, int?> { ["requestsPerMinute"] = null, ["concurrentCalls"] = 3 } });
        var view = await changed.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("""{"team":"search","cost-centre":"7"}""", view.GetProperty("labels").GetRawText());
        Assert.Equal("""{"requestsPerMinute":null,"tokensPerMinute":6,"concurrentCalls":3}""", view.GetProperty("limits").GetRawText());
        Assert.Equal(HttpStatusCode.BadRequest, (await PatchAsync(member, key, new { limits = new { requestsPerMinute = 0 } })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await PatchAsync(member, key, new { labels = new { team = new string('x', 101) } })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = "x", limits = new { concurrentCalls = -1 } })).StatusCode);
    }

    private async Task<(Member Member, CreatedKey Key, string Model)> WithKeyAsync(object? settings = null)
    {
        other.Provider.Answer = ProviderScripts.Embedding(3);
        var service = await marketplace.AddServiceAsync(Prices.PerRequest(0.01m), "embeddings");
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync(settings);
        var model = $"acme/{service.Name}";
        var (ring, catalogue) = (other.Service.App.Services.GetRequiredService<KeyRing>(), other.Service.App.Services.GetRequiredService<Catalogue.Catalogue>());
        await Until.TrueAsync(() => ring.Find(key.Text.Substring(7, 12)) is not null && catalogue.Current.Listings.ContainsKey(model) && catalogue.Current.Organisations.ContainsKey(member.Id));
        return (member, key, model);
    }

    private static Key Find(KeyRing ring, CreatedKey key) => ring.Find(key.Text.Substring(7, 12))!;

    private async Task<HttpResponseMessage> CallAsync(CreatedKey key, string model)
    {
        using var client = key.Client(other.Service);
        return await client.PostAsJsonAsync("/v1/embeddings", new { model, input = "hello" });
    }

    private async Task<HttpResponseMessage> ChatAsync(CreatedKey key, ListingChanged service, int? maxTokens, string member = "max_tokens")
    {
        using var client = key.Client(other.Service);
        var request = new Dictionary<string, object> { ["model"] = $"acme/{service.Name}", ["messages"] = new[] { new { role = "user", content = "hello" } } };
        if (maxTokens is { } most)
        {
            request.Add(member, most);
        }

        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/acme/{service.Name}")).IsSuccessStatusCode);
        return await client.PostAsJsonAsync("/v1/chat/completions", request);
    }

    private async Task<JsonElement> StandingAsync(CreatedKey key)
    {
        using var client = key.Client(other.Service);
        return (await client.GetFromJsonAsync<JsonElement>("/v1/key")).GetProperty("key");
    }

    private static Task<HttpResponseMessage> PatchAsync(Member member, CreatedKey key, object patch) => member.Client.PatchAsJsonAsync($"/api/v1/keys/{key.Id}", patch);

    private static async Task<string?> CodeAsync(HttpResponseMessage answer) => (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("code").GetString();

    [GeneratedRegex("at most ([0-9]+) it would fit")]
    private static partial Regex AtMost();
}
