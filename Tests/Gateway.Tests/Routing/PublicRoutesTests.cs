using System.Net;

namespace LlmMarketplace.Gateway.Tests.Routing;

public sealed class PublicRoutesTests(GatewayFixture fixture)
{
    [Theory]
    [InlineData("/connect/token", "identity")]
    [InlineData("/.well-known/openid-configuration", "identity")]
    [InlineData("/signin", "identity")]
    [InlineData("/signout", "identity")]
    [InlineData("/api/v1/organisations", "identity")]
    [InlineData("/api/v1/users/1/memberships", "identity")]
    [InlineData("/api/v1/clients", "identity")]
    [InlineData("/api/v1/me", "identity")]
    [InlineData("/api/v1/listings/1/versions", "publishing")]
    [InlineData("/api/v1/pipeline-runs/1", "publishing")]
    [InlineData("/api/v1/services?q=vectors&limit=5", "discovery")]
    [InlineData("/api/v1/approvals", "admin")]
    [InlineData("/api/v1/keys", "consumption")]
    [InlineData("/api/v1/budgets", "consumption")]
    [InlineData("/api/v1/end-users/erase", "consumption")]
    [InlineData("/api/v1/usage", "consumption")]
    [InlineData("/api/v1/quota", "consumption")]
    [InlineData("/api/v1/webhooks/1/deliveries", "consumption")]
    [InlineData("/api/v1/operations/admin/dead-letters", "admin")]
    [InlineData("/api/v1/operations/publishing/dead-letters", "publishing")]
    public async Task Each_public_path_goes_to_the_service_that_owns_it(string path, string service)
    {
        var token = fixture.Gateway.Token();
        var marked = path + (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "mark=" + Guid.CreateVersion7();

        using var answer = await fixture.Gateway.GetAsync(marked, token);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([service], fixture.Gateway.Services.Values.Where(one => one.Received.Any(request => request.Target == marked)).Select(one => one.Name));
    }

    [Theory]
    [InlineData("/api/v1/nothing")]
    [InlineData("/api/v2/services")]
    [InlineData("/openapi/v1.yaml")]
    [InlineData("/metrics")]
    [InlineData("/api/v1/operations/gateway/dead-letters")]
    [InlineData("/api/v1/servicesx")]
    public async Task A_path_that_nobody_owns_is_not_found_and_reaches_nobody(string path)
    {
        var marked = path + "?mark=" + Guid.CreateVersion7();

        using var answer = await fixture.Gateway.GetAsync(marked, fixture.Gateway.Token());

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("not_found", (await StartedGateway.JsonOf(answer)).GetProperty("code").GetString());
        Assert.DoesNotContain(fixture.Gateway.Received, request => request.Target == marked);
    }

    [Fact]
    public async Task Method_body_and_query_arrive_unchanged()
    {
        string? body = null;
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["publishing"].Answer = async context =>
        {
            body = await new StreamReader(context.Request.Body).ReadToEndAsync();
            context.Response.StatusCode = 201;
            context.Response.Headers.Location = "/api/v1/listings/7";
        };

        using var content = new StringContent("""{"name":"x"}""", System.Text.Encoding.UTF8, "application/json");
        using var answer = await gateway.SendAsync(HttpMethod.Post, "/api/v1/listings?dry=1&x=%20y", gateway.Token(), content);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal("/api/v1/listings/7", answer.Headers.Location!.OriginalString);
        Assert.Equal("""{"name":"x"}""", body);
        Assert.Equal(("POST", "/api/v1/listings?dry=1&x=%20y"), gateway.Services["publishing"].Received.Where(request => request.Method == "POST").Select(request => (request.Method, request.Target)).Single());
    }
}
