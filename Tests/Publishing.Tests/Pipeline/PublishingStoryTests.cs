using System.Net;
using System.Text.Json.Nodes;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Tests.Pipeline;

public sealed class PublishingStoryTests(SharedPublishing shared)
{
    private readonly PublishingApp app = shared.App;

    [Fact]
    public async Task A_version_goes_through_the_pipeline_and_everybody_hears_of_it_once()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var run = await provider.PublishAsync(listing, Declarations.Embeddings());

        Assert.Equal("succeeded", run["status"]!.GetValue<string>());
        Assert.Equal(["authorise", "validate", "store", "approval", "publish"], run["steps"]!.AsArray().Select(step => step!["name"]!.GetValue<string>()));
        Assert.Equal("skipped", run["steps"]![3]!["status"]!.GetValue<string>());
        Assert.Equal("active", await provider.StatusAsync(listing, "1.0.0"));

        var (version, data) = Assert.Single(await app.EventsAsync(listing));
        Assert.Equal("published", data.Cause);
        Assert.Equal((provider.Slug, "embed", provider.Organisation), (data.Provider, data.Name, data.OrganisationId));
        var published = Assert.Single(data.Versions);
        Assert.Equal(VersionStatus.Active, published.Status);
        Assert.Equal(0.02m, Assert.Single(published.Specification.Pricing.Rates).Input);
        var protector = new ProviderSecretProtector(Convert.FromBase64String(PublishingApp.ProviderSecretsKey));
        Assert.Equal("sk-very-secret", protector.Unprotect(published.VersionId, published.Secret!));
        Assert.True(version > 1);
    }

    [Fact]
    public async Task What_breaks_a_rule_is_refused_with_reasons_can_be_mended_and_is_then_published()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var wrong = Declarations.Embeddings();
        wrong["pricing"]!["rates"]![0]!["input"] = -1;
        var run = await provider.PublishAsync(listing, wrong);
        Assert.Equal("failed", run["status"]!.GetValue<string>());
        Assert.Equal("NEGATIVE_RATE", run["issues"]![0]!["code"]!.GetValue<string>());
        var version = await provider.VersionAsync(listing, "1.0.0");
        Assert.Equal("failed_validation", version["status"]!.GetValue<string>());
        Assert.Equal("/pricing/rates/0/input", version["issues"]![0]!["path"]!.GetValue<string>());
        Assert.Empty(await app.EventsAsync(listing));

        var mended = Declarations.Embeddings();
        mended["endpoint"]!.AsObject().Remove("secret"); // Not named: the credential stays.
        await (await provider.RewriteAsync(listing, mended)).JsonAsync();
        run = await provider.SettledRunAsync(await provider.SubmitAsync(listing, "1.0.0"));
        Assert.Equal("succeeded", run["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task Submitting_twice_answers_the_same_run()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.DraftAsync(listing, Declarations.Embeddings());
        var first = await provider.SubmitAsync(listing, "1.0.0");
        Assert.Equal(first, await provider.SubmitAsync(listing, "1.0.0"));
        await provider.SettledRunAsync(first);
        Assert.Equal(first, await provider.SubmitAsync(listing, "1.0.0"));
        Assert.Single(await app.EventsAsync(listing));
    }

    [Fact]
    public async Task A_version_under_way_cannot_be_rewritten()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings());
        var put = await provider.RewriteAsync(listing, Declarations.Embeddings());
        Assert.Equal("not_editable", await put.CodeAsync(HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task A_published_version_gets_another_credential_and_everybody_hears_of_it()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings());

        var answer = await provider.RotateSecretAsync(listing, "sk-the-next-one");

        Assert.DoesNotContain("sk-the-next-one", (await answer.JsonAsync()).ToJsonString(), StringComparison.Ordinal);
        var (_, data) = (await app.EventsAsync(listing))[^1];
        Assert.Equal("secret_rotated", data.Cause);
        var published = Assert.Single(data.Versions);
        Assert.Equal("sk-the-next-one", new ProviderSecretProtector(Convert.FromBase64String(PublishingApp.ProviderSecretsKey)).Unprotect(published.VersionId, published.Secret!));
    }

    [Fact]
    public async Task A_platforms_credential_is_read_before_the_version_is_published_and_before_it_is_replaced()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var declaration = Declarations.Embeddings();
        declaration["endpoint"] = new JsonObject { ["url"] = declaration["endpoint"]!["url"]!.DeepClone(), ["protocol"] = "bedrock", ["authentication"] = "aws-signature", ["secret"] = "AKIA:secret" };
        await provider.DraftAsync(listing, declaration);
        var refused = await provider.SettledRunAsync(await provider.SubmitAsync(listing, "1.0.0"));
        Assert.Contains("secret_invalid", refused.ToJsonString(), StringComparison.Ordinal);

        declaration["endpoint"]!["secret"] = """{"accessKeyId":"AKIA","secretAccessKey":"s","region":"eu-central-1"}""";
        await provider.RewriteAsync(listing, declaration);
        await provider.SettledRunAsync(await provider.SubmitAsync(listing, "1.0.0"));

        Assert.Equal("secret_invalid", await (await provider.RotateSecretAsync(listing, "AKIA:other")).CodeAsync(HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await provider.RotateSecretAsync(listing, """{"accessKeyId":"AKIB","secretAccessKey":"t","region":"eu-central-1"}""")).StatusCode);
    }

    [Fact]
    public async Task A_credential_is_its_providers_to_change_and_only_where_there_is_one()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.DraftAsync(listing, Declarations.Embeddings());

        Assert.Equal("no_credential", await (await provider.RotateSecretAsync(listing, "sk-another")).CodeAsync(HttpStatusCode.Conflict));
        Assert.Equal("secret_required", await (await provider.RotateSecretAsync(listing, "")).CodeAsync(HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.NotFound, (await (await app.ProviderAsync()).RotateSecretAsync(listing, "sk-another")).StatusCode);
    }
}
