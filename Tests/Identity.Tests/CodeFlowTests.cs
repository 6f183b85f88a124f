using System.Net;
using Microsoft.IdentityModel.JsonWebTokens;

namespace LlmMarketplace.Identity.Tests;

public sealed class CodeFlowTests(SharedIdentity shared)
{
    private const string Password = "a long enough password";

    [Fact]
    public async Task A_person_signs_in_on_the_page_and_the_program_gets_a_token_for_their_organisation()
    {
        var app = await shared.GetAsync();
        var (email, id, organisation, slug) = await PersonAsync(app);
        var browser = new Browser(app);

        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.Equal(HttpStatusCode.OK, browser.Status);
        Assert.Contains("<label for=\"password\">", browser.Body, StringComparison.Ordinal);
        await browser.SignInAsync(email, Password);
        Assert.Equal("xyz", browser.LeftWith("state"));
        Assert.Equal(IdentityApp.Issuer, browser.LeftWith("iss"));
        var (status, body) = await browser.ExchangeAsync();

        Assert.Equal(200, status);
        var token = new JsonWebToken(body.GetProperty("access_token").GetString());
        Assert.Equal(id.ToString(), token.Subject);
        Assert.Equal(email, token.GetClaim("email").Value);
        Assert.Equal(email, token.GetClaim("name").Value);
        Assert.Equal(organisation.ToString(), token.GetClaim("org").Value);
        Assert.Equal(slug, token.GetClaim("org_slug").Value);
        Assert.Equal("consumer", token.GetClaim("role").Value);
        Assert.Equal(["llm-marketplace"], token.Audiences);
        Assert.Equal("marketplace-cli", new JsonWebToken(body.GetProperty("id_token").GetString()).Audiences.Single());
        Assert.Equal(200, (await app.ApiWith(token.EncodedToken).GetAsync("/api/v1/me")).Status);
        var userInfo = (await app.ApiWith(token.EncodedToken).GetAsync("/connect/userinfo")).Expect(200).Body;
        Assert.Equal(email, userInfo.GetProperty("email").GetString());
    }

    [Fact]
    public async Task A_code_is_worth_nothing_without_its_verifier_and_nothing_the_second_time()
    {
        var app = await shared.GetAsync();
        var (email, _, _, _) = await PersonAsync(app);
        var browser = new Browser(app);
        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, Password);

        Assert.Equal(400, (await browser.ExchangeAsync(verifier: new string('x', 50))).Status);
        Assert.Equal(400, (await browser.ExchangeAsync(redirectUri: "http://127.0.0.1:1/callback")).Status);
        Assert.Equal(200, (await browser.ExchangeAsync()).Status);
        Assert.Equal(400, (await browser.ExchangeAsync()).Status);
    }

    [Theory]
    [InlineData("&code_challenge_method=plain")]
    [InlineData("")]
    public async Task Only_a_hashed_code_challenge_is_taken(string challenge)
    {
        var app = await shared.GetAsync();
        var browser = new Browser(app);
        var address = browser.AuthorizeAddress().Replace("&code_challenge_method=S256", challenge, StringComparison.Ordinal);
        if (challenge.Length == 0)
        {
            address = address[..address.IndexOf("&code_challenge=", StringComparison.Ordinal)];
        }

        await browser.GoAsync(address);

        Assert.Equal(HttpStatusCode.BadRequest, browser.Status);
        Assert.Contains("invalid_request", browser.Body, StringComparison.Ordinal);
        Assert.Contains("code_challenge", browser.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1/", true)]
    [InlineData("http://127.0.0.1:65000/some/where?a=b", true)]
    [InlineData("http://[::1]:8080/callback", true)]
    [InlineData("https://market.test/docs", true)]
    [InlineData("https://market.test/docs/", true)]
    [InlineData("https://market.test/docs/elsewhere", false)]
    [InlineData("http://localhost:5000/callback", false)]
    [InlineData("https://127.0.0.1:5000/callback", false)]
    [InlineData("http://127.0.0.1.evil.test/callback", false)]
    [InlineData("http://127.0.0.1@evil.test/callback", false)]
    [InlineData("http://user@127.0.0.1/callback", false)]
    [InlineData("http://10.0.0.1:5000/callback", false)]
    [InlineData("https://evil.test/callback", false)]
    public async Task Codes_go_to_loopback_addresses_and_the_reference_page_only(string redirectUri, bool taken)
    {
        var app = await shared.GetAsync();
        var (email, _, _, _) = await PersonAsync(app);
        var browser = new Browser(app);

        await browser.GoAsync(browser.AuthorizeAddress(redirectUri));
        if (taken)
        {
            await browser.SignInAsync(email, Password);
            Assert.StartsWith(redirectUri, browser.Left?.AbsoluteUri, StringComparison.Ordinal);
            Assert.Equal(200, (await browser.ExchangeAsync(redirectUri: redirectUri)).Status);
        }
        else
        {
            Assert.Equal(HttpStatusCode.BadRequest, browser.Status);
            Assert.Null(browser.Left);
        }
    }

    [Fact]
    public async Task A_person_of_several_organisations_chooses_one_on_a_page()
    {
        var app = await shared.GetAsync();
        var (email, browser, slugs) = await PersonOfTwoAsync(app);

        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, Password);
        Assert.Equal(HttpStatusCode.OK, browser.Status);
        await browser.FollowAsync(slugs[1]);

        var (_, body) = await browser.ExchangeAsync();
        Assert.Equal(slugs[1], new JsonWebToken(body.GetProperty("access_token").GetString()).GetClaim("org_slug").Value);
    }

    [Fact]
    public async Task The_parameter_organisation_names_the_organisation_and_never_a_foreign_one()
    {
        var app = await shared.GetAsync();
        var (email, browser, slugs) = await PersonOfTwoAsync(app);

        var (_, body) = await browser.TokenAsync(email, Password, $"&organisation={slugs[0]}");
        Assert.Equal(slugs[0], new JsonWebToken(body.GetProperty("access_token").GetString()).GetClaim("org_slug").Value);

        await browser.GoAsync(browser.AuthorizeAddress(more: "&organisation=operator"));
        Assert.Equal("access_denied", browser.LeftWith("error"));
    }

    [Fact]
    public async Task A_person_without_an_organisation_gets_no_code()
    {
        var app = await shared.GetAsync();
        var email = Unique.Email();
        await (await app.AdministratorAsync()).UserAsync(email, Password);
        var browser = new Browser(app);

        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, Password);

        Assert.Equal("access_denied", browser.LeftWith("error"));
    }

    [Fact]
    public async Task Signing_in_again_is_not_asked_for_unless_the_program_wants_it()
    {
        var app = await shared.GetAsync();
        var (email, _, _, _) = await PersonAsync(app);
        var browser = new Browser(app);
        await browser.GoAsync(browser.AuthorizeAddress(more: "&prompt=none"));
        Assert.Equal("login_required", browser.LeftWith("error"));
        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, Password);
        Assert.NotNull(browser.LeftWith("code"));

        await browser.GoAsync(browser.AuthorizeAddress(more: "&prompt=none"));
        Assert.NotNull(browser.LeftWith("code"));

        await browser.GoAsync(browser.AuthorizeAddress(more: "&prompt=login"));
        Assert.Null(browser.Left);
        await browser.SignInAsync(email, Password);
        Assert.NotNull(browser.LeftWith("code"));
    }

    [Fact]
    public async Task Signing_out_ends_the_session_of_the_browser()
    {
        var app = await shared.GetAsync();
        var (email, _, _, _) = await PersonAsync(app);
        var browser = new Browser(app);
        var (_, body) = await browser.TokenAsync(email, Password);

        await browser.GoAsync("/connect/logout");
        Assert.Contains("Sign out?", browser.Body, StringComparison.Ordinal);
        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.NotNull(browser.LeftWith("code")); // Asked, not yet signed out.
        await browser.GoAsync("/signout");
        await browser.SubmitAsync();
        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.Null(browser.Left);

        await browser.SignInAsync(email, Password);
        await browser.GoAsync($"/connect/logout?id_token_hint={body.GetProperty("id_token").GetString()}&post_logout_redirect_uri={Uri.EscapeDataString(IdentityApp.Issuer)}&client_id=marketplace-cli");
        Assert.Equal(IdentityApp.Issuer, browser.Left?.AbsoluteUri);
        await browser.GoAsync(browser.AuthorizeAddress());
        Assert.Null(browser.Left);
    }

    private static async Task<(string Email, Guid Id, Guid Organisation, string Slug)> PersonAsync(IdentityApp app)
    {
        var admin = await app.AdministratorAsync();
        var (email, slug) = (Unique.Email(), Unique.Slug());
        var organisation = await admin.OrganisationAsync(slug);
        return (email, await admin.UserAsync(email, Password, (organisation, ["consumer"])), organisation, slug);
    }

    private static async Task<(string Email, Browser Browser, string[] Slugs)> PersonOfTwoAsync(IdentityApp app)
    {
        var admin = await app.AdministratorAsync();
        var email = Unique.Email();
        string[] slugs = [Unique.Slug("one"), Unique.Slug("two")];
        var (one, two) = (await admin.OrganisationAsync(slugs[0]), await admin.OrganisationAsync(slugs[1]));
        await admin.UserAsync(email, Password, (one, ["consumer"]), (two, ["provider"]));
        return (email, new Browser(app), slugs);
    }
}
