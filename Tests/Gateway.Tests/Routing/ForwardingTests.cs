using System.Net;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Tests.Routing;

public sealed class ForwardingTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_service_that_is_down_is_answered_with_503()
    {
        await using var gateway = await StartedGateway.StartAsync(down: "publishing");

        using var answer = await gateway.GetAsync("/api/v1/listings", gateway.Token());

        await AssertProblem(answer, HttpStatusCode.ServiceUnavailable, "unavailable", "publishing");
    }

    [Fact]
    public async Task A_service_that_is_silent_is_answered_with_504()
    {
        await using var gateway = await StartedGateway.StartAsync(new() { ["Gateway:ServiceTimeout"] = "00:00:00.3" });
        gateway.Services["discovery"].Answer = context => Task.Delay(Timeout.Infinite, context.RequestAborted);

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token());

        await AssertProblem(answer, HttpStatusCode.GatewayTimeout, "timeout", "discovery");
    }

    [Fact]
    public async Task A_service_that_breaks_off_before_its_answer_is_answered_with_502()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["discovery"].Answer = context =>
        {
            context.Abort();
            return Task.CompletedTask;
        };

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token());

        await AssertProblem(answer, HttpStatusCode.BadGateway, "bad_gateway", "discovery");
    }

    [Fact]
    public async Task An_answer_that_a_service_cuts_does_not_look_whole()
    {
        await using var gateway = await StartedGateway.StartAsync();
        using var go = new SemaphoreSlim(0);
        gateway.Services["discovery"].Answer = async context =>
        {
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            await go.WaitAsync(context.RequestAborted);
            context.Abort();
        };

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token());
        var body = await answer.Content.ReadAsStreamAsync(Cancellation);
        await body.ReadExactlyAsync(new byte[4], Cancellation);
        go.Release();

        await Assert.ThrowsAnyAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1], Cancellation).AsTask().WaitAsync(TimeSpan.FromMinutes(3), Cancellation));
    }

    [Fact]
    public async Task A_problem_of_a_service_passes_unchanged()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["publishing"].Answer = async context =>
        {
            context.Response.StatusCode = 409;
            context.Response.ContentType = "application/problem+json";
            await context.Response.WriteAsync("""{"status":409,"code":"DUPLICATE_VERSION"}""");
        };

        using var answer = await gateway.GetAsync("/api/v1/listings", gateway.Token());

        Assert.Equal(409, (int)answer.StatusCode);
        Assert.Equal("""{"status":409,"code":"DUPLICATE_VERSION"}""", await answer.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task Events_arrive_as_they_are_sent()
    {
        await using var gateway = await StartedGateway.StartAsync();
        using var go = new SemaphoreSlim(0);
        gateway.Services["publishing"].Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 1; i <= 3; i++)
            {
                await context.Response.WriteAsync($"data: {i}\n\n");
                await context.Response.Body.FlushAsync();
                await go.WaitAsync(context.RequestAborted);
            }
        };

        using var answer = await gateway.GetAsync("/api/v1/pipeline-runs/1/events", gateway.Token(), ("Accept", "text/event-stream"));
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));

        // The service goes on only after its event was seen here: a buffer on the way would wait for ever.
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromMinutes(3), Cancellation));
            Assert.Equal("", await reader.ReadLineAsync(Cancellation));
            go.Release();
        }
    }

    [Fact]
    public async Task A_stream_of_events_may_be_silent_for_longer_than_a_call()
    {
        await using var gateway = await StartedGateway.StartAsync(new() { ["Gateway:ServiceTimeout"] = "00:00:00.2" });
        gateway.Services["publishing"].Answer = async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await Task.Delay(TimeSpan.FromSeconds(1), context.RequestAborted);
            await context.Response.WriteAsync("data: 2\n\n");
        };

        using var answer = await gateway.GetAsync("/api/v1/pipeline-runs/1/events", gateway.Token(), ("Accept", "text/event-stream"));

        Assert.Equal("data: 1\n\ndata: 2\n\n", await answer.Content.ReadAsStringAsync(Cancellation));
    }

    [Fact]
    public async Task A_web_socket_passes_both_ways()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["publishing"].Answer = async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[64];
            var message = await socket.ReceiveAsync(buffer, context.RequestAborted);
            await socket.SendAsync(Encoding.UTF8.GetBytes("heard " + Encoding.UTF8.GetString(buffer, 0, message.Count)), WebSocketMessageType.Text, true, context.RequestAborted);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        };
        using var client = new ClientWebSocket();
        client.Options.SetRequestHeader("Authorization", "Bearer " + gateway.Token());

        await client.ConnectAsync(new UriBuilder(gateway.Address) { Scheme = "ws", Path = "/api/v1/pipeline-runs/1/live" }.Uri, Cancellation);
        await client.SendAsync(Encoding.UTF8.GetBytes("hello"), WebSocketMessageType.Text, true, Cancellation);
        var received = new byte[64];
        var answer = await client.ReceiveAsync(received, Cancellation);

        Assert.Equal("heard hello", Encoding.UTF8.GetString(received, 0, answer.Count));
    }

    [Fact]
    public async Task The_service_learns_the_true_hop_and_not_what_the_client_claims()
    {
        await using var gateway = await StartedGateway.StartAsync();

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token(),
            ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Prefix", "/evil"),
            ("Forwarded", "for=6.6.6.6"), ("X-Real-IP", "6.6.6.6"), ("X-Original-URL", "/internal/events"), ("X-Rewrite-Url", "/internal/events"));

        var headers = gateway.Services["discovery"].Received.Single().Headers;
        Assert.Equal("127.0.0.1", headers["X-Forwarded-For"]);
        Assert.Equal("http", headers["X-Forwarded-Proto"]);
        Assert.Equal(gateway.Address.Authority, headers["X-Forwarded-Host"]);
        Assert.Equal(gateway.Address.Authority, headers["Host"]);
        Assert.DoesNotContain(headers, header => header.Value.Contains("6.6.6.6", StringComparison.Ordinal) || header.Value.Contains("evil", StringComparison.Ordinal) || header.Value.Contains("internal", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_load_balancer_that_the_operator_named_is_believed()
    {
        await using var gateway = await StartedGateway.StartAsync(new() { ["Gateway:TrustedProxies:0"] = "127.0.0.0/8" });

        using var answer = await gateway.GetAsync("/api/v1/services", gateway.Token(), ("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https"));

        var headers = gateway.Services["discovery"].Received.Single().Headers;
        Assert.Equal("198.51.100.7", headers["X-Forwarded-For"]);
        Assert.Equal("https", headers["X-Forwarded-Proto"]);
        Assert.Equal("max-age=31536000; includeSubDomains", answer.Headers.GetValues("Strict-Transport-Security").Single());
    }

    private static async Task AssertProblem(HttpResponseMessage answer, HttpStatusCode status, string code, string mentions)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = await StartedGateway.JsonOf(answer);
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Contains(mentions, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }
}
