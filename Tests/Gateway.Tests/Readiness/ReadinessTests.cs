using System.Net;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Tests.Readiness;

public sealed class ReadinessTests(GatewayFixture fixture)
{
    [Fact]
    public async Task It_is_ready_when_every_service_is_and_names_them()
    {
        using var answer = await fixture.Gateway.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = await StartedGateway.JsonOf(answer);
        Assert.Equal("healthy", body.GetProperty("status").GetString());
        var checks = body.GetProperty("checks");
        Assert.All(["identity", "publishing", "discovery", "consumption", "admin"], service => Assert.Equal("healthy", checks.GetProperty(service).GetProperty("status").GetString()));
    }

    [Fact]
    public async Task One_service_that_is_down_makes_it_unready_and_is_named()
    {
        await using var gateway = await StartedGateway.StartAsync(down: "admin");

        using var answer = await gateway.GetAsync("/health/ready");
        using var live = await gateway.GetAsync("/health/live");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        var checks = (await StartedGateway.JsonOf(answer)).GetProperty("checks");
        Assert.Equal("unhealthy", checks.GetProperty("admin").GetProperty("status").GetString());
        Assert.Equal("healthy", checks.GetProperty("publishing").GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_service_that_is_not_ready_makes_it_unready()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["discovery"].Answer = context =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };

        using var answer = await gateway.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Equal("answered 503", (await StartedGateway.JsonOf(answer)).GetProperty("checks").GetProperty("discovery").GetProperty("description").GetString());
    }

    [Fact]
    public async Task A_degraded_service_makes_it_degraded_which_is_ready()
    {
        await using var gateway = await StartedGateway.StartAsync();
        gateway.Services["discovery"].Answer = context => context.Response.WriteAsJsonAsync(new { status = "degraded" });

        using var answer = await gateway.GetAsync("/health/ready");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("degraded", (await StartedGateway.JsonOf(answer)).GetProperty("status").GetString());
    }
}
