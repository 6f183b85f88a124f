using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Tests.Responses;

public sealed class ResponsesTests(GatewayFixture fixture)
{
    private StartedGateway Gateway => fixture.Gateway;

    [Theory]
    [InlineData("/", 200)]
    [InlineData("/connect/token", 200)]
    [InlineData("/health/live", 200)]
    [InlineData("/api/v1/services", 401)]
    [InlineData("/internal/events", 404)]
    [InlineData("//", 400)]
    [InlineData("/v1/nothing", 404)]
    public async Task Every_answer_names_its_request_and_tells_browsers_to_be_careful(string path, int status)
    {
        var (got, text) = await Gateway.GetRawAsync(path);

        Assert.True(status == got, text);
        Assert.Matches(@"(?i)\r\nx-request-id: [0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\r\n", text);
        Assert.Contains("\r\nX-Content-Type-Options: nosniff\r\n", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\r\nX-Frame-Options: DENY\r\n", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\r\nReferrer-Policy: no-referrer\r\n", text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\r\nContent-Security-Policy: default-src 'none'; ", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("unsafe-eval", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\r\nServer:", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("\r\nStrict-Transport-Security:", text, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task The_service_gets_the_same_request_id_and_a_clients_own_is_kept_beside_it()
    {
        var marked = "/api/v1/services?mark=" + Guid.CreateVersion7();

        using var answer = await Gateway.GetAsync(marked, Gateway.Token(), ("x-request-id", "my-trace.1"));

        var received = Gateway.Services["discovery"].Received.Single(request => request.Target == marked).Headers;
        var id = answer.Headers.GetValues("x-request-id").Single();
        Assert.NotEqual("my-trace.1", id);
        Assert.Equal(id, received["x-request-id"]);
        Assert.Equal("my-trace.1", received["x-client-request-id"]);
        Assert.Equal("my-trace.1", answer.Headers.GetValues("x-client-request-id").Single());
    }

    [Fact]
    public async Task The_landing_pages_first_call_can_be_pasted()
    {
        using var answer = await Gateway.GetAsync("/", null);

        var page = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Contains($"curl {answer.RequestMessage!.RequestUri!.GetLeftPart(UriPartial.Authority)}/v1/embeddings", page, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("semi;colon")]
    [InlineData("<script>")]
    public async Task A_clients_id_that_is_not_plain_is_dropped(string id)
    {
        using var answer = await Gateway.GetAsync("/", null, ("x-request-id", id));

        Assert.False(answer.Headers.Contains("x-client-request-id"));
    }

    [Fact]
    public async Task A_service_cannot_set_the_request_id_and_its_server_is_not_named()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["discovery"].Answer = context =>
        {
            context.Response.Headers["x-request-id"] = "other";
            context.Response.Headers.Server = "Secret/1.0";
            context.Response.Headers["X-Powered-By"] = "Secret";
            return RecordedService.Plain(context);
        };

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token());

        Assert.True(Guid.TryParse(answer.Headers.GetValues("x-request-id").Single(), out _));
        Assert.False(answer.Headers.Contains("Server"));
        Assert.False(answer.Headers.Contains("X-Powered-By"));
    }

    [Fact]
    public async Task A_page_of_a_service_keeps_the_policy_that_it_brings()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["identity"].Answer = async context =>
        {
            context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'sha256-x'";
            await context.Response.WriteAsync("<p>");
        };

        using var answer = await gateway.GetAsync("/signin");

        Assert.Equal("default-src 'none'; style-src 'sha256-x'", answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Equal("DENY", answer.Headers.GetValues("X-Frame-Options").Single());
    }

    [Theory]
    [InlineData("/v1/nothing", 404, "unknown_url")]
    [InlineData("/v1", 404, "unknown_url")]
    [InlineData("/v1//", 400, "invalid_path")]
    public async Task Below_v1_refusals_have_OpenAIs_shape(string path, int status, string code)
    {
        var (got, text) = await Gateway.GetRawAsync(path, "llm_mk_x");

        Assert.True(status == got, text);
        Assert.Contains($"\"code\":\"{code}\"", text, StringComparison.Ordinal);
        Assert.Contains("{\"error\":{\"message\":", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_call_without_v1_in_front_is_the_same_call()
    {
        await using var gateway = await StartedGateway.StartAsync(map: app => app.MapGet("/v1/models/{**id}", (HttpContext http) => http.Request.Path.Value!).AllowAnonymous());

        foreach (var (path, seen) in new[] { ("/models", "/v1/models"), ("/models/acme/chat", "/v1/models/acme/chat"), ("/v1/models", "/v1/models") })
        {
            using var answer = await gateway.GetAsync(path, "llm_mk_x");
            Assert.Equal(seen, await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }

        using var other = await gateway.GetAsync("/modelsx", "llm_mk_x");
        Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
    }

    [Fact]
    public async Task An_exception_below_v1_has_OpenAIs_shape_and_says_nothing_of_itself()
    {
        await using var gateway = await StartedGateway.StartAsync(map: app =>
        {
            app.MapGet("/v1/boom", string () => throw new InvalidOperationException("secret detail")).AllowAnonymous();
            app.MapGet("/boom", string () => throw new InvalidOperationException("secret detail")).AllowAnonymous();
        });

        using var call = await gateway.GetAsync("/v1/boom", "llm_mk_x");
        using var other = await gateway.GetAsync("/boom");

        Assert.Equal(HttpStatusCode.InternalServerError, call.StatusCode);
        var error = (await StartedGateway.JsonOf(call)).GetProperty("error");
        Assert.Equal(("api_error", "internal_error"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.Equal("internal_error", (await StartedGateway.JsonOf(other)).GetProperty("code").GetString());
        Assert.DoesNotContain("secret", await other.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", await call.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.True(call.Headers.Contains("x-request-id"));
        Assert.True(call.Headers.Contains("X-Content-Type-Options"));
    }

    [Fact]
    public async Task A_call_endpoint_wins_over_the_answer_for_unknown_calls()
    {
        await using var gateway = await StartedGateway.StartAsync(map: app => app.MapPost("/v1/embeddings", () => "embedded").AllowAnonymous());

        using var known = await gateway.SendAsync(HttpMethod.Post, "/v1/embeddings", "llm_mk_x");
        using var wrongMethod = await gateway.GetAsync("/v1/embeddings", "llm_mk_x");

        Assert.Equal("embedded", await known.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.NotFound, wrongMethod.StatusCode);
    }

    [Fact]
    public async Task Other_origins_get_nothing_unless_they_are_named()
    {
        await using var open = await StartedGateway.StartAsync(new() { ["Gateway:CorsOrigins:0"] = "https://portal.test" });
        (string, string)[] preflight = [("Origin", "https://portal.test"), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")];

        using var closed = await Gateway.SendAsync(HttpMethod.Options, "/api/v1/services", null, null, preflight);
        using var named = await open.SendAsync(HttpMethod.Options, "/api/v1/services", null, null, preflight);
        using var stranger = await open.SendAsync(HttpMethod.Options, "/api/v1/services", null, null, [("Origin", "https://evil.test"), .. preflight[1..]]);
        using var plain = await open.GetAsync("/api/v1/services", open.Token(), ("Origin", "https://portal.test"));

        Assert.False(closed.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal("https://portal.test", named.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.False(stranger.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal("https://portal.test", plain.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.False(plain.Headers.Contains("Access-Control-Allow-Credentials"));
    }
}
