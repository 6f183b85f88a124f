using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Publishing;

/// <summary>A provider whose credential is no longer valid reads of it, and rotates it while the service is called.</summary>
public sealed class CredentialsTests(SharedMarketplace shared)
{
    [Fact]
    public async Task A_broken_promise_is_read_by_its_provider_and_mended_by_another_credential_without_a_restart()
    {
        var market = await shared.MarketAsync();
        var name = Market.Unique("renewed");
        var declaration = Declarations.Chat(name);
        declaration["endpoint"]!["secret"] = "no-longer-valid";
        var provider = await market.MemberAsync((await market.ScriptedAsync()).Id, "provider");
        var publication = await Market.PublishAsync(provider, name, declaration);
        var (_, key) = await market.ConsumerOfAsync(publication.Model);

        var refused = await market.ChatAsync(key.Text, publication.Model);
        Assert.Equal("provider_misconfigured", refused.ErrorCode);
        var violation = await Until.SomethingAsync("the violation", async () =>
            (await provider.GetAsync($"api/v1/sla/violations?listingId={publication.Listing}")).Expect()["items"]!.AsArray().FirstOrDefault(one => (string)one!["metric"]! == "error-rate"));
        Assert.Equal((100m, 1, null), ((decimal)violation["observed"]!, (int)violation["failures"]!, (string?)violation["endedAt"]));

        var credentials = $"api/v1/listings/{publication.Listing}/versions/1.0.0/credentials";
        (await provider.PutAsync($"{credentials}/next", new JsonObject { ["secret"] = ScriptedModel.ApiKey })).Expect();
        (await provider.DeleteAsync($"{credentials}/default")).Expect();
        var answer = await Until.SomethingAsync("an answer by the next credential", async () => await market.ChatAsync(key.Text, publication.Model) is { Status: HttpStatusCode.OK } ok ? ok : null);

        var attempt = (await market.RecordAsync(key, answer.RequestId))["attempts"]!.AsArray()[^1]!;
        Assert.Equal(("next", 200), ((string)attempt["credential"]!, (int)attempt["status"]!));
    }
}
