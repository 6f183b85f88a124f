using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Aliases;

/// <summary>Bare names that an organisation defines, and what calls by them come to.</summary>
public sealed class AliasesTests(Marketplace marketplace)
{
    [Theory]
    [InlineData("MODEL", "1.0.0")]
    [InlineData("MODEL@1", "1.0.0")]
    public async Task A_call_by_an_alias_is_a_call_of_what_it_stands_for(string target, string version)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await PutAsync(shop.Member, "gpt-4o", target.Replace("MODEL", shop.Model, StringComparison.Ordinal));

        var answer = await UntilOkAsync(() => CallAsync(shop.Client, "gpt-4o"));

        Assert.Equal($"{shop.Model}@{version}", answer.Header("x-marketplace-model"));
        Assert.Equal(shop.Model, (await shop.RecordAsync(answer)).Text("service"));
        Assert.Contains("\"model\":\"scripted-model\"", Assert.Single(shop.Seen).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_alias_may_stand_for_a_preference_and_be_a_fallback()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Embedding(1), Prices.PerRequest(0.000001m), category: "embeddings", key: null);
        using var failing = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(500), category: "embeddings");
        var key = await shop.Member.CreateKeyAsync(new { name = "two", scopes = new { services = new[] { shop.Model, failing.Model }, categories = Array.Empty<string>() } });
        using var client = key.Client();
        await PutAsync(shop.Member, "embed", "cheapest/embeddings");
        await UntilOkAsync(() => client.GetAsync("/v1/models/embed"));

        var answer = await client.PostJsonAsync("/v1/embeddings", $$"""{"model":"{{failing.Model}}","models":["embed"],"input":"x"}""");

        Assert.Equal((HttpStatusCode.OK, $"{shop.Model}@1.0.0"), (answer.StatusCode, answer.Header("x-marketplace-model")));
    }

    [Fact]
    public async Task A_changed_alias_holds_in_every_instance_and_one_taken_back_stands_for_nothing()
    {
        await using var other = await marketplace.StartInstanceAsync();
        using var first = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var second = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var there = first.Key.Client(other);
        await PutAsync(first.Member, "gpt-4o", first.Model);
        await UntilOkAsync(() => CallAsync(there, "gpt-4o"));

        await PutAsync(first.Member, "gpt-4o", second.Model);
        await Until.TrueAsync(async () => (await CallAsync(there, "gpt-4o")).Header("x-marketplace-model") == $"{second.Model}@1.0.0");
        Assert.Equal(HttpStatusCode.NoContent, (await first.Member.Client.DeleteAsync("/api/v1/aliases/gpt-4o")).StatusCode);
        await Until.TrueAsync(async () => (await CallAsync(there, "gpt-4o")).StatusCode == HttpStatusCode.NotFound);
        Assert.Equal((404, "not_found"), await (await first.Member.Client.GetAsync("/api/v1/aliases/gpt-4o")).ProblemAsync());
        Assert.Equal(HttpStatusCode.NoContent, (await first.Member.Client.DeleteAsync("/api/v1/aliases/gpt-4o")).StatusCode);
    }

    [Fact]
    public async Task Aliases_are_models_of_their_own_organisation_as_far_as_the_key_may_call_them()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var stranger = (await (await marketplace.AddOrganisationAsync()).CreateKeyAsync()).Client();
        using var narrow = (await shop.Member.CreateKeyAsync(new { name = "narrow", scopes = new { services = new[] { "acme/other" }, categories = Array.Empty<string>() } })).Client();
        await PutAsync(shop.Member, "gpt-4o", $"{shop.Model}@1");
        await PutAsync(shop.Member, "best", "most-available");
        await PutAsync(shop.Member, "gone", "acme/never-published");
        await UntilOkAsync(() => shop.Client.GetAsync("/v1/models/best"));

        var listed = await AliasesOfAsync(shop.Client);
        Assert.Equal(["best most-available", $"gpt-4o {shop.Model}@1"], listed);
        Assert.Equal(("gpt-4o", "acme"), (await shop.Client.GetFromJsonAsync<JsonElement>("/v1/models/gpt-4o") is var model ? (model.Text("id"), model.Text("owned_by")) : default));
        Assert.Empty(await AliasesOfAsync(stranger));
        Assert.Empty(await AliasesOfAsync(narrow));
        Assert.Equal("model_not_found", await (await CallAsync(stranger, "gpt-4o")).ErrorCodeAsync());
        Assert.Equal("out_of_scope", await (await CallAsync(narrow, "gpt-4o")).ErrorCodeAsync());
        await Until.TrueAsync(async () => (await (await CallAsync(shop.Client, "gone")).JsonAsync()).GetProperty("error").Text("message")!.Contains("acme/never-published", StringComparison.Ordinal));
        Assert.Equal("model_not_found", await (await CallAsync(shop.Client, "gone")).ErrorCodeAsync());
        Assert.Equal(HttpStatusCode.NotFound, (await shop.Client.GetAsync("/v1/models/gone")).StatusCode);
    }

    [Theory]
    [InlineData("gpt-4o", "gpt-4", "invalid_target")]
    [InlineData("gpt-4o", "", "invalid_target")]
    [InlineData("gpt-4o", "a/b/c", "invalid_target")]
    [InlineData("gpt-4o", "cheapest/nothing@", "invalid_target")]
    [InlineData("cheapest", "acme/x", "invalid_name")]
    [InlineData("a%40b", "acme/x", "invalid_name")]
    [InlineData("-x", "acme/x", "invalid_name")]
    public async Task An_alias_is_a_bare_name_and_stands_for_no_alias(string name, string target, string code)
    {
        var member = await marketplace.AddOrganisationAsync();

        Assert.Equal((400, code), await (await member.Client.PutAsJsonAsync($"/api/v1/aliases/{name}", new { target })).ProblemAsync());
    }

    [Fact]
    public async Task Aliases_are_read_and_listed_by_their_organisation_alone()
    {
        var (member, other) = (await marketplace.AddOrganisationAsync(), await marketplace.AddOrganisationAsync());
        foreach (var name in new[] { "b", "A", "c", "a" })
        {
            await PutAsync(member, name, "acme/x");
        }

        await member.Client.DeleteAsync("/api/v1/aliases/c");
        var page = await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/aliases?limit=2");
        var rest = await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/aliases?limit=2&cursor={page.Text("nextCursor")}");

        Assert.Equal(["A", "a", "b"], page.GetProperty("items").EnumerateArray().Concat(rest.GetProperty("items").EnumerateArray()).Select(item => item.Text("name")));
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("nextCursor").ValueKind);
        Assert.Equal("acme/x", (await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/aliases/b")).Text("target"));
        Assert.Equal(HttpStatusCode.NotFound, (await other.Client.GetAsync("/api/v1/aliases/b")).StatusCode);
        Assert.Empty((await other.Client.GetFromJsonAsync<JsonElement>("/api/v1/aliases")).GetProperty("items").EnumerateArray());
        using var approver = marketplace.Service.ClientWith(marketplace.Identity.Token(member.Id, member.Organisation.Slug, [Roles.Approver]));
        Assert.Equal(HttpStatusCode.Forbidden, (await approver.PutAsJsonAsync("/api/v1/aliases/b", new { target = "acme/x" })).StatusCode);
    }

    private static async Task PutAsync(Member member, string name, string target)
    {
        var answer = await member.Client.PutAsJsonAsync($"/api/v1/aliases/{name}", new { target });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static Task<HttpResponseMessage> CallAsync(HttpClient client, string model) => client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"{{model}}",{{Shop.Hello}}}""");

    private static async Task<HttpResponseMessage> UntilOkAsync(Func<Task<HttpResponseMessage>> call)
    {
        HttpResponseMessage? answer = null;
        await Until.TrueAsync(async () => (answer = await call()).IsSuccessStatusCode);
        return answer!;
    }

    private static async Task<List<string>> AliasesOfAsync(HttpClient client) =>
        [.. (await client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data").EnumerateArray().Where(model => model.TryGetProperty("alias_of", out _)).Select(model => $"{model.Text("id")} {model.Text("alias_of")}")];
}
