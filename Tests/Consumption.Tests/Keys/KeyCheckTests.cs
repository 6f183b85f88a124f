using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Keys;

/// <summary>What a key opens, and for how long.</summary>
public sealed class KeyCheckTests(Marketplace marketplace)
{
    [Fact]
    public async Task No_key_and_one_that_cannot_be_are_told_apart_and_nothing_else_is_told()
    {
        var key = await (await marketplace.AddOrganisationAsync()).CreateKeyAsync();
        var last = key.Text[^1] == 'a' ? 'b' : 'a';
        string[] wrong =
        [
            key.Text[..^1] + last, // right identifier, wrong secret
            "llm_mk_" + new string('0', 48), // nobody's identifier
            key.Text[..^1], key.Text + "a", key.Text.ToUpperInvariant(), "sk-" + key.Text[7..], key.Text[..^1] + "-", "x", new string('a', 8_000),
        ];

        var answers = new HashSet<string>();
        foreach (var text in wrong)
        {
            using var answer = await CallAsync(text);
            Assert.Equal(new OpenAiError(401, "invalid_request_error", "invalid_api_key", null), await answer.ErrorAsync());
            answers.Add($"{string.Join(',', answer.Headers.Select(header => header.Key).Order())} {await answer.Content.ReadAsStringAsync()}");
        }

        Assert.Single(answers);
        using var without = await marketplace.Service.Client.GetAsync("/v1/models");
        Assert.Equal(new OpenAiError(401, "invalid_request_error", "missing_api_key", null), await without.ErrorAsync());
        Assert.Equal("Bearer", without.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Fact]
    public async Task Who_guesses_keys_is_told_to_wait_and_a_guessed_keys_own_secret_is_not_looked_at_from_there()
    {
        await using var guarded = await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Keys:Guesses:Burst", "5"));
        var member = await marketplace.AddOrganisationAsync();
        var (guessed, other) = (await member.CreateKeyAsync(), await member.CreateKeyAsync());
        using var client = new HttpClient { BaseAddress = guarded.Client.BaseAddress };
        await Until.TrueAsync(async () => (await AskAsync(other.Text)).StatusCode == HttpStatusCode.OK && (await AskAsync(guessed.Text)).StatusCode == HttpStatusCode.OK);

        // Until this key's guesses are used up from there; a second gives one back, so it is asked among them.
        HttpResponseMessage? right = null;
        await Until.TrueAsync(async () =>
        {
            var wrong = Task.WhenAll(Enumerable.Range(0, 20).Select(_ => AskAsync(guessed.Text[..^2] + "00")));
            right = await AskAsync(guessed.Text);
            Assert.All(await wrong, answer => Assert.True(answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.Unauthorized));
            return right.StatusCode != HttpStatusCode.OK;
        });
        Assert.Equal(new OpenAiError(429, "requests", "too_many_invalid_keys", null), await right!.ErrorAsync());
        Assert.Equal("1", right!.Header("retry-after"));
        using var neighbour = await AskAsync(other.Text);
        Assert.Equal(HttpStatusCode.OK, neighbour.StatusCode);
        using var elsewhere = await CallAsync(guessed.Text);
        Assert.Equal(HttpStatusCode.OK, elsewhere.StatusCode);

        async Task<HttpResponseMessage> AskAsync(string key)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { { "x-api-key", key } } };
            return await client.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_key_may_come_as_anthropics_clients_send_it()
    {
        var key = await (await marketplace.AddOrganisationAsync()).CreateKeyAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { { "x-api-key", key.Text } } };

        using var answer = await marketplace.Service.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_revoked_key_is_refused_by_every_instance_and_for_good()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await using var second = await marketplace.StartInstanceAsync();
        using var elsewhere = shop.Key.Client(second);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: elsewhere)).StatusCode);

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}")).StatusCode);

        foreach (var client in new[] { shop.Client, elsewhere })
        {
            await Until.TrueAsync(async () => (await shop.ChatAsync(client: client)).StatusCode == HttpStatusCode.Unauthorized);
            Assert.Equal("revoked_api_key", (await (await shop.ChatAsync(client: client)).ErrorAsync()).Code);
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/usage")).StatusCode);
        }

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}")).StatusCode);
        Assert.Equal((409, "key_revoked"), await (await shop.Member.Client.PatchAsync($"/api/v1/keys/{shop.Key.Id}", Json.Content("""{"name":"back"}"""))).ProblemAsync());
        Assert.Equal("revoked", (await shop.Member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys/{shop.Key.Id}")).Text("status"));
    }

    [Fact]
    public async Task An_expired_key_is_refused_until_it_is_given_more_time()
    {
        var member = await marketplace.AddOrganisationAsync();
        var created = await (await member.Client.PostAsJsonAsync("/api/v1/keys", new { name = "brief", expiresAt = DateTimeOffset.UtcNow.AddSeconds(1.5) })).JsonAsync();
        using var client = new CreatedKey(marketplace, created.GetProperty("id").GetGuid(), created.Text("key")!).Client();

        await Until.TrueAsync(async () => await (await client.GetAsync("/v1/models")).ErrorCodeAsync() == "expired_api_key");

        Assert.Equal("expired", (await member.Client.GetFromJsonAsync<JsonElement>($"/api/v1/keys/{created.Text("id")}")).Text("status"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/usage")).StatusCode);
        await member.Client.PatchAsync($"/api/v1/keys/{created.Text("id")}", Json.Content("""{"expiresAt":"2999-01-01T00:00:00Z"}"""));
        await Until.TrueAsync(async () => (await client.GetAsync("/v1/models")).IsSuccessStatusCode);
    }

    [Fact]
    public async Task A_suspended_organisations_keys_open_nothing()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        await marketplace.TellAsync(shop.Member.Organisation with { Status = OrganisationStatus.Suspended });

        Assert.Equal(new OpenAiError(403, "invalid_request_error", "organisation_suspended", null), await (await shop.ChatAsync()).ErrorAsync());
        Assert.Equal("organisation_suspended", (await (await shop.Client.GetAsync("/v1/models")).ErrorAsync()).Code);
        await marketplace.TellAsync(shop.Member.Organisation);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync()).StatusCode);
    }

    [Fact]
    public async Task A_key_calls_the_services_and_categories_of_its_scopes_only()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        var other = await marketplace.AddServiceAsync();
        var embeddings = await marketplace.AddServiceAsync(category: "embeddings");
        await shop.Member.Client.PatchAsync($"/api/v1/keys/{shop.Key.Id}", Json.Content($$"""{"scopes":{"services":["{{shop.Model}}"],"categories":["embeddings"]} }"""));
        await Until.TrueAsync(async () => !await ListsAsync(shop.Client, other.Name));

        Assert.True(await ListsAsync(shop.Client, shop.Listing.Name));
        Assert.True(await ListsAsync(shop.Client, embeddings.Name));
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync()).StatusCode);
        Assert.Equal(new OpenAiError(403, "invalid_request_error", "out_of_scope", "model"), await (await CallModelAsync(shop.Client, other.Name)).ErrorAsync());
        Assert.Equal("model_not_found", (await (await shop.Client.GetAsync($"/v1/models/acme/{other.Name}")).ErrorAsync()).Code);
    }

    private static Task<HttpResponseMessage> CallModelAsync(HttpClient client, string name) =>
        client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{name}}",{{Shop.Hello}} }""");

    private static async Task<bool> ListsAsync(HttpClient client, string name) =>
        (await client.GetFromJsonAsync<JsonElement>("/v1/models")).GetProperty("data").EnumerateArray().Any(model => model.Text("id") == $"acme/{name}");

    private async Task<HttpResponseMessage> CallAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {key}");
        return await marketplace.Service.Client.SendAsync(request);
    }
}
