using System.Net;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Calls;

public sealed class VisibilityTests(SharedMarketplace shared)
{
    [Fact]
    public async Task A_listing_invisible_to_an_organisation_shows_up_for_it_nowhere()
    {
        var market = await shared.MarketAsync();
        var friend = await market.OrganisationAsync(tier: "premium");
        var stranger = await market.OrganisationAsync(tier: "premium");
        var (name, tag) = (Market.Unique("hidden"), Market.Unique("secret-tag"));
        var visibility = new JsonObject { ["kind"] = "organisations", ["organisations"] = new JsonArray(JsonValue.Create(friend.Id)) };
        var model = await market.ScriptedModelAsync(
            name,
            declaration =>
            {
                declaration["tags"] = new JsonArray(tag);
                declaration["description"] = "Predicts the tides of imaginary oceans.";
            },
            visibility);
        var (insider, insiderKey) = await WithKeyAsync(market, friend);
        var (outsider, outsiderKey) = await WithKeyAsync(market, stranger);
        await market.AwaitModelAsync(insiderKey, model);
        var found = await Until.SomethingAsync("the listing for the friend", async () => await FindAsync(insider, $"tag={tag}") is { Count: > 0 } items ? items : null);
        var id = (string)found[0]!["listing"]!["id"]!;
        await Until.TrueAsync("other models for the stranger", async () => (await market.ModelsAsync(outsiderKey)).Count > 0);

        // For the friend it is everywhere …
        Assert.Equal(1, await FacetAsync(insider, "tag", tag));
        Assert.Equal(HttpStatusCode.OK, (await insider.GetAsync($"api/v1/services/{id}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await insider.GetAsync($"api/v1/services/by-name/{model}")).Status);
        Assert.Equal(HttpStatusCode.OK, (await market.ChatAsync(insiderKey.Text, model)).Status);

        // … and for the stranger nowhere.
        Assert.Empty(await FindAsync(outsider, $"tag={tag}"));
        Assert.DoesNotContain(await FindAsync(outsider, "q=tides%20of%20imaginary%20oceans&limit=100"), item => (string?)item!["listing"]!["name"] == model);
        Assert.Equal(0, await FacetAsync(outsider, "tag", tag));
        Assert.Equal(1, await CountAsync(insider, tag));
        Assert.Equal(0, await CountAsync(outsider, tag));
        Assert.Equal(HttpStatusCode.NotFound, (await outsider.GetAsync($"api/v1/services/{id}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await outsider.GetAsync($"api/v1/services/by-name/{model}")).Status);
        Assert.DoesNotContain(model, await market.ModelsAsync(outsiderKey));
        Assert.Equal(HttpStatusCode.NotFound, (await market.CallAsync(outsiderKey.Text, HttpMethod.Get, $"v1/models/{model}")).Status);
        var refused = await market.ChatAsync(outsiderKey.Text, model);
        Assert.Equal((HttpStatusCode.NotFound, "model_not_found"), (refused.Status, refused.ErrorCode));
    }

    private static async Task<(Member Member, Key Key)> WithKeyAsync(Market market, Organisation organisation)
    {
        var member = await market.MemberAsync(organisation.Id, "consumer");
        return (member, await Market.KeyAsync(member));
    }

    private static async Task<JsonArray> FindAsync(Member member, string query) => (await member.GetAsync("api/v1/services?" + query)).Expect()["items"]!.AsArray();

    private static async Task<int> CountAsync(Member member, string tag) => (int)(await member.GetAsync($"api/v1/services?provider=scripted&tag={tag}")).Expect()["total"]!;

    private static async Task<int> FacetAsync(Member member, string facet, string value) =>
        (await member.GetAsync("api/v1/services?limit=100")).Expect()["facets"]![facet]!.AsArray().Where(one => (string?)one!["value"] == value).Sum(one => (int)one!["count"]!);
}
