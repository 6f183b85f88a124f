using System.Net;
using System.Text.Json.Nodes;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Tests.Versions;

/// <summary>Several credentials of a version: what providers can do with them, and what others are told.</summary>
public sealed class CredentialTests(SharedPublishing shared)
{
    private static readonly ProviderSecretProtector Protector = new(Convert.FromBase64String(PublishingApp.ProviderSecretsKey));
    private readonly PublishingApp app = shared.App;

    [Fact]
    public async Task A_published_version_gets_more_credentials_and_everybody_hears_of_them_encrypted()
    {
        var (provider, listing) = await PublishedAsync(Declarations.Embeddings());

        var answer = await (await provider.PutCredentialAsync(listing, "backup", "sk-the-second")).JsonAsync();

        Assert.DoesNotContain("sk-the-second", answer.ToJsonString(), StringComparison.Ordinal);
        Assert.Equal(["default", "backup"], Names(answer));
        var (_, data) = (await app.EventsAsync(listing))[^1];
        Assert.Equal("credentials_changed", data.Cause);
        var published = Assert.Single(data.Versions);
        var told = Assert.Single(published.Credentials!);
        Assert.Equal(("backup", null, "sk-the-second"), (told.Name, told.Endpoint, Protector.Unprotect(published.VersionId, told.Secret)));
        Assert.Equal("sk-very-secret", Protector.Unprotect(published.VersionId, published.Secret!));
    }

    [Fact]
    public async Task Rotation_is_to_add_the_new_one_and_to_take_away_the_old_one()
    {
        var (provider, listing) = await PublishedAsync(Declarations.Embeddings());
        await (await provider.PutCredentialAsync(listing, "next", "sk-the-next-one")).JsonAsync();

        var answer = await (await provider.RemoveCredentialAsync(listing, "default")).JsonAsync();

        Assert.Equal(["next"], Names(answer));
        Assert.True(answer["hasSecret"]!.GetValue<bool>());
        var published = Assert.Single((await app.EventsAsync(listing))[^1].Data.Versions);
        Assert.Null(published.Secret);
        Assert.Equal("next", Assert.Single(published.Credentials!).Name);
    }

    [Fact]
    public async Task A_credential_of_the_same_name_is_replaced()
    {
        var (provider, listing) = await PublishedAsync(Declarations.Embeddings());
        await (await provider.PutCredentialAsync(listing, "backup", "sk-former")).JsonAsync();

        await (await provider.PutCredentialAsync(listing, "backup", "sk-latter")).JsonAsync();
        await (await provider.PutCredentialAsync(listing, "default", "sk-default-too")).JsonAsync();

        var published = Assert.Single((await app.EventsAsync(listing))[^1].Data.Versions);
        Assert.Equal("sk-latter", Protector.Unprotect(published.VersionId, Assert.Single(published.Credentials!).Secret));
        Assert.Equal("sk-default-too", Protector.Unprotect(published.VersionId, published.Secret!));
    }

    [Fact]
    public async Task The_last_credential_of_an_address_stays()
    {
        var (provider, listing) = await PublishedAsync(WithReplica());
        await (await provider.PutCredentialAsync(listing, "east", "sk-east", "east")).JsonAsync();

        Assert.Equal("last_credential", await (await provider.RemoveCredentialAsync(listing, "default")).CodeAsync(HttpStatusCode.Conflict)); // primary has none of its own
        await (await provider.PutCredentialAsync(listing, "first", "sk-first", "primary")).JsonAsync();
        Assert.Equal(["east", "first"], Names(await (await provider.RemoveCredentialAsync(listing, "default")).JsonAsync()));
        Assert.Equal("last_credential", await (await provider.RemoveCredentialAsync(listing, "east")).CodeAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task A_draft_is_published_with_a_credential_for_each_address_and_none_for_all()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var declaration = WithReplica();
        declaration["endpoint"]!["secret"] = null;
        await provider.DraftAsync(listing, declaration);
        await (await provider.PutCredentialAsync(listing, "first", "sk-first", "primary")).JsonAsync();
        await (await provider.PutCredentialAsync(listing, "west", "sk-west", "west")).JsonAsync();

        var issues = (await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/validate")).JsonAsync())["issues"]!.AsArray();
        Assert.Equal(["secret_required", "unknown_value"], issues.Select(issue => issue!["code"]!.GetValue<string>()).Order());

        await (await provider.RemoveCredentialAsync(listing, "west")).JsonAsync();
        await (await provider.PutCredentialAsync(listing, "east", "sk-east", "east")).JsonAsync();
        var run = await provider.SettledRunAsync(await provider.SubmitAsync(listing, "1.0.0"));

        Assert.Equal("succeeded", run["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task What_cannot_be_a_credential_is_refused()
    {
        var (provider, listing) = await PublishedAsync(Declarations.Embeddings());

        Assert.Equal("invalid_name", await IssueAsync(await provider.PutCredentialAsync(listing, "Not%20one", "sk-x")));
        Assert.Equal("secret_required", await IssueAsync(await provider.PutCredentialAsync(listing, "backup", null)));
        Assert.Equal("secret_required", await IssueAsync(await provider.PutCredentialAsync(listing, "backup", new string('x', 8_193))));
        Assert.Equal("unknown_value", await IssueAsync(await provider.PutCredentialAsync(listing, "backup", "sk-x", "elsewhere")));
        Assert.Equal("unknown_value", await IssueAsync(await provider.PutCredentialAsync(listing, "default", "sk-x", "primary")));
        Assert.Equal(HttpStatusCode.NotFound, (await provider.RemoveCredentialAsync(listing, "backup")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await (await app.ProviderAsync()).PutCredentialAsync(listing, "backup", "sk-x")).StatusCode);
    }

    [Fact]
    public async Task A_retired_version_and_one_that_takes_no_credential_get_none()
    {
        var (provider, listing) = await PublishedAsync(Declarations.Embeddings());
        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/suspend", new { reason = "For good." })).JsonAsync();
        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/retire")).JsonAsync();
        var open = Declarations.Embeddings();
        open["endpoint"]!["authentication"] = "none";
        open["endpoint"]!["secret"] = null;
        var (other, free) = await PublishedAsync(open);

        Assert.Equal("no_credential", await (await provider.PutCredentialAsync(listing, "backup", "sk-x")).CodeAsync(HttpStatusCode.Conflict));
        Assert.Equal("no_credential", await (await other.PutCredentialAsync(free, "backup", "sk-x")).CodeAsync(HttpStatusCode.Conflict));
    }

    private async Task<(Caller Provider, Guid Listing)> PublishedAsync(JsonObject declaration)
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var run = await provider.PublishAsync(listing, declaration);
        Assert.Equal("succeeded", run["status"]!.GetValue<string>());
        return (provider, listing);
    }

    private static JsonObject WithReplica()
    {
        var declaration = Declarations.Embeddings();
        declaration["endpoint"]!["replicas"] = new JsonArray(new JsonObject { ["name"] = "east", ["url"] = "https://api.example.com/east", ["weight"] = 1 });
        return declaration;
    }

    private static IEnumerable<string> Names(JsonNode version) => version["credentials"]!.AsArray().Select(one => one!["name"]!.GetValue<string>());

    private static async Task<string> IssueAsync(HttpResponseMessage answer) => (await answer.JsonAsync(HttpStatusCode.BadRequest))["issues"]![0]!["code"]!.GetValue<string>();
}
