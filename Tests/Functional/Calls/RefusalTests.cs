using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Functional.Calls;

/// <summary>Every call that does not succeed: the right status, body, headers, and the record of each that was admitted.</summary>
public sealed class RefusalTests(SharedMarketplace shared)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_key_that_was_never_given_is_refused()
    {
        var market = await shared.MarketAsync();

        var answer = await market.ChatAsync("llm_mk_" + new string('a', 48), "scripted/whatever");

        AssertError(answer, HttpStatusCode.Unauthorized, "invalid_api_key");
    }

    [Fact]
    public async Task A_key_with_another_secret_is_refused()
    {
        var (market, _, key) = await CallableAsync();

        var answer = await market.ChatAsync(key.Text[..^36] + new string('a', 36), "scripted/whatever");

        AssertError(answer, HttpStatusCode.Unauthorized, "invalid_api_key");
    }

    [Fact]
    public async Task A_call_without_a_key_is_refused()
    {
        var market = await shared.MarketAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(market.Address, "v1/models"));

        using var answer = await Answer.Client.SendAsync(request, Cancellation);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("missing_api_key", (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync(Cancellation))!["error"]!["code"]!);
    }

    [Fact]
    public async Task An_expired_key_is_refused()
    {
        var (market, model, _) = await CallableAsync();
        var consumer = await market.MemberAsync((await market.OrganisationAsync()).Id, "consumer");
        var key = await Market.KeyAsync(consumer, expiresAt: DateTimeOffset.UtcNow.AddSeconds(3));
        await market.AwaitModelAsync(key, model);

        var refused = await Until.SomethingAsync("the key's end", async () => await market.ChatAsync(key.Text, model) is { Status: HttpStatusCode.Unauthorized } answer ? answer : null);

        AssertError(refused, HttpStatusCode.Unauthorized, "expired_api_key");
    }

    [Fact]
    public async Task A_revoked_key_is_refused_within_a_second()
    {
        var (market, model, _) = await CallableAsync();
        var (consumer, key) = await market.ConsumerOfAsync(model);

        (await consumer.DeleteAsync($"api/v1/keys/{key.Id}")).Expect();
        var revoked = DateTime.UtcNow;
        var refused = await Until.SomethingAsync("the revocation", async () => await market.ChatAsync(key.Text, model) is { Status: HttpStatusCode.Unauthorized } answer ? answer : null);

        AssertError(refused, HttpStatusCode.Unauthorized, "revoked_api_key");
        Assert.InRange(DateTime.UtcNow - revoked, TimeSpan.Zero, TimeSpan.FromSeconds(5)); // A second, and room for a busy machine.
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        var (market, _, key) = await CallableAsync();

        var answer = await market.ChatAsync(key.Text, "scripted/nothing-of-that-name");

        AssertError(answer, HttpStatusCode.NotFound, "model_not_found");
        Assert.Equal("model", (string)answer.Body!["error"]!["param"]!);
    }

    [Fact]
    public async Task A_suspended_service_is_refused_and_comes_back()
    {
        var (market, name) = (await shared.MarketAsync(), Market.Unique("suspended"));
        var model = await market.ScriptedModelAsync(name);
        var (_, key) = await market.ConsumerOfAsync(model);
        var listings = (await market.Administrator.GetAsync($"api/v1/listings?name={name}")).Expect();
        var id = (string)listings["items"]![0]!["id"]!;

        (await market.Administrator.PostAsync($"api/v1/listings/{id}/suspend", new JsonObject { ["reason"] = "Complaints." })).Expect();
        var refused = await Until.SomethingAsync("the suspension", async () => await market.ChatAsync(key.Text, model) is { Status: not HttpStatusCode.OK } answer ? answer : null);
        (await market.Administrator.PostAsync($"api/v1/listings/{id}/resume")).Expect();
        await Until.TrueAsync("the resumption", async () => (await market.ChatAsync(key.Text, model)).Status == HttpStatusCode.OK);

        Assert.Contains(refused.ErrorCode, new[] { "service_suspended", "model_not_found" });
        Assert.Contains(refused.Status, new[] { HttpStatusCode.Forbidden, HttpStatusCode.NotFound });
    }

    [Fact]
    public async Task A_version_that_was_only_drafted_is_not_found()
    {
        var (market, _, key) = await CallableAsync();
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var name = Market.Unique("draft");
        var listing = (await provider.PostAsync("api/v1/listings", new JsonObject { ["name"] = name, ["visibility"] = new JsonObject { ["kind"] = "public", ["organisations"] = new JsonArray() } })).Expect();
        (await provider.PostAsync($"api/v1/listings/{(string)listing["id"]!}/versions", Declarations.Chat(name))).Expect();

        AssertError(await market.ChatAsync(key.Text, $"scripted/{name}"), HttpStatusCode.NotFound, "model_not_found");
    }

    [Fact]
    public async Task An_empty_budget_refuses_and_says_that_waiting_does_not_help()
    {
        var (market, model, _) = await CallableAsync();
        var consumer = await market.MemberAsync((await market.OrganisationAsync()).Id, "consumer");
        var key = await Market.KeyAsync(consumer, Declarations.Budget(0.000001m));
        await market.AwaitModelAsync(key, model);

        var answer = await market.ChatAsync(key.Text, model);

        AssertError(answer, HttpStatusCode.TooManyRequests, "insufficient_quota");
        Assert.Equal("false", answer.Headers.GetValues("x-should-retry").Single());
        Assert.Equal(0, (int)(await market.CallAsync(key.Text, HttpMethod.Get, "api/v1/usage")).Expect()["total"]!["calls"]!);
    }

    [Fact]
    public async Task A_burst_over_the_limit_is_refused_and_told_when_to_come_back()
    {
        var (market, name) = (await shared.MarketAsync(), Market.Unique("burst"));
        var (_, key) = await market.ConsumerOfAsync(await market.ScriptedModelAsync(name), tier: "basic");

        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => market.ChatAsync(key.Text, $"scripted/{name}")));

        var refused = answers.Where(answer => answer.Status != HttpStatusCode.OK).ToList();
        var passed = answers.Length - refused.Count;
        Assert.InRange(passed, 20, 55); // The burst of 20, and 10 for each second that this takes.
        Assert.All(refused, answer => AssertError(answer, HttpStatusCode.TooManyRequests, "rate_limit_exceeded"));
        Assert.All(refused, answer => Assert.InRange(int.Parse(answer.Headers.GetValues("retry-after").Single(), CultureInfo.InvariantCulture), 1, 60));
        Assert.Equal("20", answers.First(answer => answer.Status == HttpStatusCode.OK).Headers.GetValues("x-ratelimit-limit-requests").Single());
        Assert.Equal(passed, (await market.RecordsAsync(key, passed)).Count);
    }

    [Fact]
    public Task A_provider_that_is_down_is_503_and_costs_nothing() =>
        AssertProviderFailureAsync("down", HttpStatusCode.ServiceUnavailable, "provider_unavailable", declare: declaration => declaration["endpoint"]!["url"] = ScriptedModel.DeadEndpoint);

    [Fact]
    public Task A_provider_that_is_slow_is_504_and_costs_nothing() =>
        AssertProviderFailureAsync("slow", HttpStatusCode.GatewayTimeout, "provider_timeout", context => Task.Delay(Timeout.Infinite, context.RequestAborted),
            declaration =>
            {
                declaration["sla"]!["maxLatencyMs"] = 500;
                declaration["sla"]!["timeoutMs"] = 1000;
            });

    [Fact]
    public Task A_provider_that_answers_429_is_429_and_costs_nothing() =>
        AssertProviderFailureAsync("busy", HttpStatusCode.TooManyRequests, "provider_rate_limited", Status(429), outcome: "refused-by-provider");

    [Fact]
    public Task A_provider_that_answers_500_is_502_and_costs_nothing() =>
        AssertProviderFailureAsync("broken", HttpStatusCode.BadGateway, "provider_error", Status(500));

    private static RequestDelegate Status(int status) => context =>
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new { error = new { message = "no", type = "server_error", code = "no" } });
    };

    private static void AssertError(Answer answer, HttpStatusCode status, string code)
    {
        Assert.True((status, code) == (answer.Status, answer.ErrorCode), $"{(int)answer.Status}: {answer.Text}");
        Assert.Equal(["code", "message", "param", "type"], answer.Body!["error"]!.AsObject().Select(member => member.Key).Order());
        Assert.True(Guid.TryParse(answer.RequestId, out _));
    }

    private async Task<(Market Market, string Model, Key Key)> CallableAsync()
    {
        var market = await shared.MarketAsync();
        var model = await market.ScriptedModelAsync(Market.Unique("plain"));
        var (_, key) = await market.ConsumerOfAsync(model);
        return (market, model, key);
    }

    private async Task AssertProviderFailureAsync(
        string prefix, HttpStatusCode status, string code, RequestDelegate? script = null, Action<JsonObject>? declare = null, string outcome = "failed")
    {
        var (market, provider) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique(prefix);
        if (script is not null)
        {
            provider.Play(name, script);
        }

        var (_, key) = await market.ConsumerOfAsync(await market.ScriptedModelAsync(name, declare));

        var answer = await market.ChatAsync(key.Text, $"scripted/{name}");

        AssertError(answer, status, code);
        var record = await market.RecordAsync(key, answer.RequestId);
        Assert.Equal((outcome, 0m, (int)status), ((string)record["outcome"]!, (decimal)record["cost"]!, (int)record["statusCode"]!));
    }
}
