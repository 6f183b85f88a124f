using System.Net;
using Microsoft.IdentityModel.JsonWebTokens;

namespace LlmMarketplace.Identity.Tests;

public sealed class ScopeTests(SharedIdentity shared)
{
    [Fact]
    public async Task A_services_token_is_made_out_to_the_one_service_that_it_calls()
    {
        var app = await shared.GetAsync();

        var (status, body) = await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, "internal:identity");

        Assert.Equal(200, status);
        var token = new JsonWebToken(body.GetProperty("access_token").GetString());
        Assert.Equal(["llm-marketplace-internal:identity"], token.Audiences);
        Assert.Equal("svc-publishing", token.Subject);
        Assert.Equal("service", token.GetClaim("role").Value);
        Assert.False(token.TryGetClaim("org", out _));
    }

    [Theory]
    [InlineData("marketplace")]
    [InlineData("internal:identity internal:admin")]
    [InlineData("internal:nowhere")]
    [InlineData(null)]
    public async Task A_service_gets_no_other_scope(string? scope)
    {
        var app = await shared.GetAsync();

        var (status, body) = await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, scope);

        Assert.Equal(400, status);
        Assert.Contains("scope", body.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.False(body.TryGetProperty("access_token", out _));
    }

    [Theory]
    [InlineData("internal:identity")]
    [InlineData("marketplace internal:identity")]
    public async Task Nobody_but_a_service_gets_an_internal_scope(string scope)
    {
        var app = await shared.GetAsync();

        var (status, body) = await app.ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret, scope);
        Assert.Equal(400, status);
        Assert.Contains("scope", body.ToString(), StringComparison.OrdinalIgnoreCase);
        Assert.False(body.TryGetProperty("access_token", out _));

        var browser = new Browser(app);
        await browser.GoAsync(browser.AuthorizeAddress(scope: scope));
        Assert.Null(browser.LeftWith("code"));
        Assert.Contains("scope", browser.LeftWith("error_description") ?? browser.Body, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_machine_client_that_names_no_scope_gets_the_marketplaces()
    {
        var app = await shared.GetAsync();

        var (_, body) = await app.ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret, scope: null);

        Assert.Equal(["llm-marketplace"], new JsonWebToken(body.GetProperty("access_token").GetString()).Audiences);
    }

    [Fact]
    public async Task An_internal_token_does_not_open_the_public_api_and_a_public_one_not_the_internal()
    {
        var app = await shared.GetAsync();
        var (_, body) = await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, "internal:identity");
        var service = app.ApiWith(body.GetProperty("access_token").GetString());
        var admin = await app.AdministratorAsync();
        const string Events = "/internal/events?topic=marketplace.organisations&after=0";

        Assert.Equal(403, (await service.GetAsync("/api/v1/organisations")).Status);
        Assert.Equal(403, (await admin.GetAsync(Events)).Status);
        Assert.Equal(200, (await service.GetAsync(Events)).Status); // So the token is good where it belongs.
        var (_, other) = await app.ClientTokenAsync("svc-publishing", IdentityApp.PublishingSecret, "internal:admin");
        Assert.Equal(401, (await app.ApiWith(other.GetProperty("access_token").GetString()).GetAsync(Events)).Status);
    }

    [Theory]
    [InlineData("svc-publishing", "not the secret at all")]
    [InlineData("svc-nobody", IdentityApp.PublishingSecret)]
    [InlineData("marketplace-cli", "")]
    public async Task Wrong_credentials_give_no_token(string id, string secret)
    {
        var app = await shared.GetAsync();

        var (status, body) = await app.ClientTokenAsync(id, secret, "internal:identity");

        Assert.InRange(status, 400, 401);
        Assert.False(body.TryGetProperty("access_token", out _));
    }

    [Fact]
    public async Task The_metadata_names_the_public_address_whatever_the_request_says()
    {
        var app = await shared.GetAsync();

        var metadata = (await app.ApiWith(null).GetAsync("/.well-known/openid-configuration")).Expect(200).Body;

        Assert.Equal(IdentityApp.Issuer, metadata.GetProperty("issuer").GetString());
        Assert.Equal(IdentityApp.Issuer + "connect/token", metadata.GetProperty("token_endpoint").GetString());
        Assert.Equal(IdentityApp.Issuer + ".well-known/jwks", metadata.GetProperty("jwks_uri").GetString());
        Assert.Equal(["S256"], metadata.GetProperty("code_challenge_methods_supported").EnumerateArray().Select(method => method.GetString()));
        Assert.DoesNotContain("implicit", metadata.GetProperty("grant_types_supported").EnumerateArray().Select(grant => grant.GetString()));
    }

    [Theory]
    [InlineData("/api/v1/organisations")]
    [InlineData("/api/v1/users")]
    [InlineData("/api/v1/clients")]
    [InlineData("/api/v1/me")]
    [InlineData("/internal/events")]
    [InlineData("/nowhere")]
    public async Task Nothing_else_is_open_without_a_token(string path)
    {
        var app = await shared.GetAsync();

        Assert.Equal((int)HttpStatusCode.Unauthorized, (await app.ApiWith(null).GetAsync(path)).Status);
        Assert.Equal((int)HttpStatusCode.Unauthorized, (await app.ApiWith("junk").GetAsync(path)).Status);
    }
}
