using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Usage;

public sealed class GenerationTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_key_reads_the_record_of_its_own_call_and_of_no_other()
    {
        var service = await marketplace.AddServiceAsync(ProviderScripts.Chat("Hello", 3, 2), Prices.PerMillionTokens(1m, 1m), EndpointProtocol.OpenAi);
        var member = await marketplace.AddOrganisationAsync();
        using var caller = (await member.CreateKeyAsync()).Client();
        using var other = (await member.CreateKeyAsync()).Client();
        using var body = new StringContent($$"""{"model":"acme/{{service.Name}}","messages":[]}""", Encoding.UTF8, "application/json");
        var answer = await caller.PostAsync("/v1/chat/completions", body);
        await member.RecordAsync(answer.RequestId());

        var record = await caller.GetFromJsonAsync<JsonElement>($"/v1/generations/{answer.RequestId()}");
        var foreign = await other.GetAsync($"/v1/generations/{answer.RequestId()}");

        Assert.Equal(("completed", 3, 0.000005m), (record.GetProperty("outcome").GetString(), record.GetProperty("input_tokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal(HttpStatusCode.NotFound, foreign.StatusCode);
    }
}
