using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests;

public sealed class EmbeddingsTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_call_is_forwarded_metered_and_charged_to_the_last_digit()
    {
        marketplace.Provider.Answer = ProviderScripts.Embedding(promptTokens: 7);
        var service = await marketplace.AddServiceAsync(Prices.PerMillionTokens(0.02m), "embeddings");
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync();
        using var client = key.Client();

        var answer = await client.PostAsync("/v1/embeddings", JsonContent.Create(new { model = $"acme/{service.Name}", input = "hello", unknown_field = new[] { 1, 2 } }));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("scripted", (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("model").GetString());
        var seen = Assert.Single(marketplace.Provider.Calls, call => call.Headers["x-request-id"] == answer.Headers.GetValues("x-request-id").Single());
        Assert.Equal("/v1/embeddings", seen.Path);
        Assert.Equal("Bearer " + Marketplace.Credential, seen.Headers["authorization"]);
        Assert.Equal("""{"model":"scripted-model","input":"hello","unknown_field":[1,2]}""", seen.Body);

        var record = await member.RecordAsync(Guid.Parse(answer.Headers.GetValues("x-request-id").Single()));
        Assert.Equal("completed", record.GetProperty("outcome").GetString());
        Assert.Equal(7, record.GetProperty("inputTokens").GetInt64());
        Assert.Equal(0.00000014m, record.GetProperty("cost").GetDecimal());
        Assert.Equal(0.00000014m, (await member.UsageAsync()).GetProperty("total").GetProperty("cost").GetDecimal());
    }
}
