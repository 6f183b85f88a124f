using System.Net;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Gateway.Tests.Access;

public sealed class AccessTests(GatewayFixture fixture)
{
    private const string Key = "llm_mk_abcdefghijklabcdefghijklabcdefghijklabcdefghijkl";

    private StartedGateway Gateway => fixture.Gateway;

    [Theory]
    [InlineData("/api/v1/organisations")]
    [InlineData("/api/v1/listings")]
    [InlineData("/api/v1/services")]
    [InlineData("/api/v1/approvals")]
    [InlineData("/api/v1/keys")]
    [InlineData("/api/v1/usage")]
    [InlineData("/api/v1/nothing")]
    public async Task Without_a_token_the_answer_is_401_and_nobody_is_asked(string path)
    {
        var marked = $"{path}?mark={Guid.CreateVersion7()}";

        using var answer = await Gateway.GetAsync(marked);

        await AssertRefused(answer, HttpStatusCode.Unauthorized, "unauthenticated", marked);
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.Single().Scheme);
    }

    [Fact]
    public Task An_expired_token_is_refused() => AssertTokenRefused(Sign(lifetime: TimeSpan.FromMinutes(-5)), HttpStatusCode.Unauthorized);

    [Fact]
    public Task Another_issuers_token_is_refused() => AssertTokenRefused(Sign(issuer: "https://elsewhere.test/"), HttpStatusCode.Unauthorized);

    [Fact]
    public Task A_token_for_another_audience_is_refused() => AssertTokenRefused(Sign(audience: "something-else"), HttpStatusCode.Unauthorized);

    [Fact]
    public Task A_services_token_for_internal_use_is_refused() => AssertTokenRefused(Gateway.Identity.ServiceToken("svc-admin", "gateway"), HttpStatusCode.Forbidden);

    [Fact]
    public Task A_changed_token_is_refused()
    {
        var parts = Sign().Split('.');
        parts[2] = new string(parts[2].Reverse().ToArray());
        return AssertTokenRefused(string.Join('.', parts), HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_good_token_is_passed_on_for_the_service_to_check_again()
    {
        var token = Sign();
        var marked = "/api/v1/me?mark=" + Guid.CreateVersion7();

        using var answer = await Gateway.GetAsync(marked, token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Bearer " + token, Gateway.Services["identity"].Received.Single(request => request.Target == marked).Headers["Authorization"]);
    }

    [Fact]
    public async Task An_api_key_passes_where_keys_are_taken()
    {
        var marked = "/api/v1/usage?mark=" + Guid.CreateVersion7();

        using var answer = await Gateway.GetAsync(marked, Key);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Bearer " + Key, Gateway.Services["consumption"].Received.Single(request => request.Target == marked).Headers["Authorization"]);
    }

    [Theory]
    [InlineData("/api/v1/keys")]
    [InlineData("/api/v1/budgets")]
    [InlineData("/api/v1/listings")]
    [InlineData("/api/v1/me")]
    public async Task An_api_key_is_no_token_elsewhere(string path)
    {
        var marked = $"{path}?mark={Guid.CreateVersion7()}";

        using var answer = await Gateway.GetAsync(marked, Key);

        await AssertRefused(answer, HttpStatusCode.Unauthorized, "unauthenticated", marked);
    }

    [Fact]
    public async Task What_is_neither_token_nor_key_is_refused_where_either_is_taken()
    {
        var marked = "/api/v1/usage?mark=" + Guid.CreateVersion7();

        using var answer = await Gateway.GetAsync(marked, "sk-something");

        await AssertRefused(answer, HttpStatusCode.Unauthorized, "unauthenticated", marked);
    }

    private string Sign(string issuer = Servers.TestIdentity.Issuer, string audience = MarketplaceTokens.Audience, TimeSpan? lifetime = null) =>
        Gateway.Identity.Token(Guid.CreateVersion7(), "acme", [Roles.Consumer], issuer: issuer, audience: audience, lifetime: lifetime);

    private async Task AssertTokenRefused(string token, HttpStatusCode status)
    {
        var marked = "/api/v1/services?mark=" + Guid.CreateVersion7();
        using var answer = await Gateway.GetAsync(marked, token);
        await AssertRefused(answer, status, status == HttpStatusCode.Forbidden ? "forbidden" : "unauthenticated", marked);
    }

    private async Task AssertRefused(HttpResponseMessage answer, HttpStatusCode status, string code, string target)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal(code, (await StartedGateway.JsonOf(answer)).GetProperty("code").GetString());
        Assert.DoesNotContain(Gateway.Received, request => request.Target == target);
    }
}
