using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;

namespace LlmMarketplace.Identity.Tests;

public sealed class RefreshTokenTests(SharedIdentity shared)
{
    private const string Password = "a long enough password";

    [Fact]
    public async Task Each_refresh_gives_a_new_refresh_token()
    {
        var (app, _, _, _, first) = await SignedInAsync();

        var (status, body) = await RefreshAsync(app, first);

        Assert.Equal(200, status);
        Assert.NotEqual(first, RefreshToken(body));
        Assert.Equal(200, (await RefreshAsync(app, RefreshToken(body))).Status);
    }

    [Fact]
    public async Task A_refresh_token_used_twice_ends_the_whole_chain()
    {
        var (app, _, _, _, first) = await SignedInAsync();
        var second = RefreshToken((await RefreshAsync(app, first)).Body);

        var (status, body) = await RefreshAsync(app, first);

        Assert.Equal(400, status);
        Assert.Equal("invalid_grant", body.GetProperty("error").GetString());
        Assert.Equal(400, (await RefreshAsync(app, second)).Status);
    }

    [Fact]
    public async Task A_refresh_sees_roles_that_were_changed()
    {
        var (app, admin, user, organisation, refresh) = await SignedInAsync();
        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{organisation}", new { roles = new[] { "provider" } })).Expect(200);

        var (_, body) = await RefreshAsync(app, refresh);

        Assert.Equal("provider", new JsonWebToken(body.GetProperty("access_token").GetString()).GetClaim("role").Value);
    }

    [Fact]
    public async Task A_revoked_refresh_token_is_refused()
    {
        var (app, _, _, _, refresh) = await SignedInAsync();
        using var form = new FormUrlEncodedContent([new("client_id", "marketplace-cli"), new("token", refresh)]);
        using var revoked = await app.Client.PostAsync("/connect/revoke", form, TestContext.Current.CancellationToken);
        Assert.True(revoked.IsSuccessStatusCode);

        Assert.Equal(400, (await RefreshAsync(app, refresh)).Status);
    }

    [Theory]
    [InlineData("membership")]
    [InlineData("lock")]
    [InlineData("suspension")]
    [InlineData("password")]
    public async Task What_is_taken_back_ends_refreshing(string what)
    {
        var (app, admin, user, organisation, refresh) = await SignedInAsync();
        var next = RefreshToken((await RefreshAsync(app, refresh)).Body); // So far it works.

        switch (what)
        {
            case "membership": (await admin.DeleteAsync($"/api/v1/users/{user}/memberships/{organisation}")).Expect(204); break;
            case "lock": (await admin.PatchAsync($"/api/v1/users/{user}", new { locked = true })).Expect(200); break;
            case "suspension": (await admin.PatchAsync($"/api/v1/organisations/{organisation}", new { status = "suspended" })).Expect(200); break;
            default: (await admin.PostAsync($"/api/v1/users/{user}/password", new { password = "another long password" })).Expect(204); break;
        }

        var (status, body) = await RefreshAsync(app, next);
        Assert.Equal(400, status);
        Assert.Equal("invalid_grant", body.GetProperty("error").GetString());
    }

    private async Task<(IdentityApp App, Api Admin, Guid User, Guid Organisation, string RefreshToken)> SignedInAsync()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var email = Unique.Email();
        var user = await admin.UserAsync(email, Password, (organisation, ["consumer"]));
        var (status, body) = await new Browser(app).TokenAsync(email, Password);
        Assert.Equal(200, status);
        return (app, admin, user, organisation, RefreshToken(body));
    }

    private static string RefreshToken(JsonElement body) => body.GetProperty("refresh_token").GetString()!;

    private static Task<(int Status, JsonElement Body)> RefreshAsync(IdentityApp app, string token) =>
        app.TokenAsync(("grant_type", "refresh_token"), ("client_id", "marketplace-cli"), ("refresh_token", token));
}
