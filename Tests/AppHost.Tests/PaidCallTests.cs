using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting.Testing;

namespace LlmMarketplace.AppHost.Tests;

/// <summary>The paid call of the README, with every service a process of its own, Kafka between them, and PostgreSQL and Redis in containers.</summary>
public sealed class PaidCallTests(StartedMarketplace marketplace) : IClassFixture<StartedMarketplace>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_call_through_the_gateway_is_answered_by_the_model_and_appears_in_the_usage_with_its_price()
    {
        using var client = marketplace.Consumer();
        var before = await UsageAsync(client);

        using var answer = await client.PostAsJsonAsync("/v1/embeddings", new { model = marketplace.FirstRun.Model, input = "turn text into vectors" }, TestContext.Current.CancellationToken);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);

        Assert.True(answer.StatusCode == HttpStatusCode.OK, body.ToString());
        Assert.Equal(384, body.GetProperty("data")[0].GetProperty("embedding").GetArrayLength());
        Assert.True(body.GetProperty("usage").GetProperty("prompt_tokens").GetInt64() > 0);

        using var patience = new CancellationTokenSource(Patience);
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        var after = before;
        while (after.Calls == before.Calls && await look.WaitForNextTickAsync(patience.Token))
        {
            after = await UsageAsync(client);
        }

        Assert.Equal(before.Calls + 1, after.Calls);
        Assert.True(after.Cost > before.Cost, $"The call cost {after.Cost - before.Cost}.");
    }

    [Fact]
    public async Task A_key_that_nobody_issued_is_refused()
    {
        using var client = marketplace.Consumer();
        client.DefaultRequestHeaders.Authorization = new("Bearer", $"llm_mk_{new string('x', 48)}");

        using var answer = await client.PostAsJsonAsync("/v1/embeddings", new { model = marketplace.FirstRun.Model, input = "turn text into vectors" }, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Fact]
    public async Task Tokens_name_the_gateways_address_as_their_issuer()
    {
        using var client = marketplace.Consumer();
        client.DefaultRequestHeaders.Authorization = null;

        var metadata = await client.GetFromJsonAsync<JsonElement>("/.well-known/openid-configuration", TestContext.Current.CancellationToken);

        Assert.Equal(marketplace.App.GetEndpoint("gateway", "http"), new Uri(metadata.GetProperty("issuer").GetString()!));
    }

    [Theory]
    [InlineData("identity-migrate")]
    [InlineData("publishing-migrate")]
    [InlineData("admin-migrate")]
    [InlineData("discovery-migrate")]
    [InlineData("consumption-migrate")]
    public async Task A_migration_ran_once_and_ended_well(string migration) =>
        Assert.Equal(0, await marketplace.ExitCodeAsync(migration, TestContext.Current.CancellationToken));

    private static async Task<(long Calls, decimal Cost)> UsageAsync(HttpClient client)
    {
        var usage = await client.GetFromJsonAsync<JsonElement>("/api/v1/usage", TestContext.Current.CancellationToken);
        var total = usage.GetProperty("total");
        return (total.GetProperty("calls").GetInt64(), total.GetProperty("cost").GetDecimal());
    }
}
