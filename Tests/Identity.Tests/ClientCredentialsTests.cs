using Microsoft.IdentityModel.JsonWebTokens;

namespace LlmMarketplace.Identity.Tests;

public sealed class ClientCredentialsTests(SharedIdentity shared)
{
    [Fact]
    public async Task A_machine_client_gets_a_token_that_names_its_organisation_and_roles()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var slug = Unique.Slug();
        var organisation = await admin.OrganisationAsync(slug);
        var (id, secret) = await admin.ClientAsync(organisation, "provider", "consumer");

        var (status, body) = await app.ClientTokenAsync(id, secret);

        Assert.Equal(200, status);
        Assert.InRange(body.GetProperty("expires_in").GetInt32(), 598, 600);
        var token = new JsonWebToken(body.GetProperty("access_token").GetString());
        Assert.Equal("at+jwt", token.Typ);
        Assert.Equal(IdentityApp.Issuer, token.Issuer);
        Assert.Equal(["llm-marketplace"], token.Audiences);
        Assert.Equal(id, token.Subject);
        Assert.Equal("marketplace", token.GetClaim("scope").Value);
        Assert.Equal(organisation.ToString(), token.GetClaim("org").Value);
        Assert.Equal(slug, token.GetClaim("org_slug").Value);
        Assert.Equal(["consumer", "provider"], token.Claims.Where(c => c.Type == "role").Select(c => c.Value).Order());
        Assert.False(body.TryGetProperty("refresh_token", out _));
    }

    [Fact]
    public async Task Roles_are_an_array_in_the_token_even_when_there_is_one()
    {
        var app = await shared.GetAsync();

        var (_, body) = await app.ClientTokenAsync(IdentityApp.BootstrapId, IdentityApp.BootstrapSecret);

        var payload = System.Text.Json.JsonDocument.Parse(Microsoft.IdentityModel.Tokens.Base64UrlEncoder.Decode(new JsonWebToken(body.GetProperty("access_token").GetString()).EncodedPayload)).RootElement;
        Assert.Equal("""["admin"]""", payload.GetProperty("role").GetRawText());
    }
}
