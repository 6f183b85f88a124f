using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Gateway.Tests.Routing;

public sealed class InternalPathsTests(GatewayFixture fixture)
{
    public static TheoryData<string, int> Ways => new()
    {
        { "/internal/events?topic=marketplace.services&after=0", 404 },
        { "/internal", 404 },
        { "/INTERNAL/events", 404 },
        { "/Internal/events", 404 },
        { "/%69nternal/events", 404 },
        { "/%69%6e%74%65%72%6e%61%6c/events", 404 },
        { "/%2569nternal/events", 404 },
        { "/internal%2fevents", 404 },
        { "/internal;x=1/events", 404 },
        { "/%2finternal/events", 400 },
        { "//internal/events", 400 },
        { "/./internal/events", 400 },
        { "/%2e/internal/events", 400 },
        { "/api/v1/services/../../../internal/events", 400 },
        { "/api/v1/services/%2e%2e/%2e%2e/%2e%2e/internal/events", 400 },
        { "/api/v1/services/..%2f..%2f..%2finternal%2fevents", 400 },
        { "/api/v1/services/..%252f..%252f..%252finternal", 400 },
        { "/api/v1/services/..;/..;/..;/internal/events", 400 },
        { "/api/v1/services/..\\..\\..\\internal\\events", 400 },
        { "/api/v1/services/..%5c..%5c..%5cinternal", 400 },
        { "/api/v1/services//internal/events", 400 },
        { "/connect/../internal/events", 400 },
        { "/signin/%2e%2e/internal/events", 400 },
        { "/docs/../internal/events", 400 },
        { "/v1/../internal/events", 400 },
        { "/v1/%2e%2e/internal/events", 400 },
        { "/api/v1/services/%25252525252e%25252525252e/internal", 400 },
        { "/connect/token%00/../../internal", 400 },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Internal_paths_are_refused_however_they_are_written(string target, int status)
    {
        var before = fixture.Gateway.Received.Count(Reaches);
        var token = fixture.Gateway.Token(Roles.Admin);

        var (got, text) = await fixture.Gateway.GetRawAsync(target, token);

        Assert.True(status == got, text);
        Assert.Equal(before, fixture.Gateway.Received.Count(Reaches));
    }

    [Fact]
    public async Task An_absolute_target_changes_nothing()
    {
        var (status, text) = await fixture.Gateway.GetRawAsync($"http://{fixture.Gateway.Address.Authority}/internal/events", fixture.Gateway.Token(Roles.Admin));

        Assert.True(status == 404, text);
        Assert.DoesNotContain(fixture.Gateway.Received, Reaches);
    }

    [Fact]
    public async Task A_services_own_token_opens_nothing_from_outside()
    {
        using var answer = await fixture.Gateway.GetAsync("/internal/events", fixture.Gateway.Identity.ServiceToken("svc-discovery", "publishing"));

        Assert.Equal(404, (int)answer.StatusCode);
        Assert.DoesNotContain(fixture.Gateway.Received, Reaches);
    }

    [Theory]
    [InlineData("/api/v1/services/acme%2Fchat")]
    [InlineData("/api/v1/services/acme/internal")]
    [InlineData("/api/v1/services/a.b..c")]
    public async Task Plain_paths_that_look_a_little_alike_go_through(string target)
    {
        var (status, text) = await fixture.Gateway.GetRawAsync(target, fixture.Gateway.Token());

        Assert.True(status == 200, text);
        Assert.Contains(fixture.Gateway.Services["discovery"].Received, request => request.Target == target);
    }

    private static bool Reaches(ReceivedRequest request)
    {
        var target = request.Target;
        for (var layer = 0; layer < 8; layer++)
        {
            target = Uri.UnescapeDataString(target);
        }

        return target.Replace('\\', '/').Contains("internal", StringComparison.OrdinalIgnoreCase) && target != "/api/v1/services/acme/internal";
    }
}
