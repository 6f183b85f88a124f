using System.Net;

namespace LlmMarketplace.Gateway.Tests.Limits;

public sealed class LimitsTests(GatewayFixture fixture)
{
    private static readonly Dictionary<string, string?> Small = new() { ["Gateway:MaxRequestBytes"] = "2048" };

    [Fact]
    public async Task A_body_that_says_it_is_too_large_is_refused_with_413()
    {
        await using var gateway = await StartedGateway.StartAsync(Small);
        using var body = new ByteArrayContent(new byte[2049]);

        using var answer = await gateway.SendAsync(HttpMethod.Post, "/api/v1/listings", gateway.Token(), body);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Equal("too_large", (await StartedGateway.JsonOf(answer)).GetProperty("code").GetString());
        Assert.Empty(gateway.Services["publishing"].Received);
    }

    [Theory]
    [InlineData("/v1/audio/transcriptions", false)]
    [InlineData("/v1/audiobooks", true)]
    [InlineData("/v1/chat/completions", true)]
    public async Task Files_of_audio_may_be_larger_than_other_bodies(string path, bool isTooLarge)
    {
        await using var gateway = await StartedGateway.StartAsync(Small);
        using var body = new ByteArrayContent(new byte[2049]);

        using var answer = await gateway.SendAsync(HttpMethod.Post, path, gateway.Token(), body);

        Assert.Equal(isTooLarge, answer.StatusCode == HttpStatusCode.RequestEntityTooLarge);
    }

    [Fact]
    public async Task A_body_of_the_largest_size_goes_through()
    {
        await using var gateway = await StartedGateway.StartAsync(Small);
        using var body = new ByteArrayContent(new byte[2048]);

        using var answer = await gateway.SendAsync(HttpMethod.Post, "/api/v1/listings", gateway.Token(), body);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task A_body_that_does_not_say_its_size_is_cut_with_413()
    {
        await using var gateway = await StartedGateway.StartAsync(Small);
        gateway.Services["publishing"].Answer = async context => await context.Request.Body.CopyToAsync(Stream.Null);
        var chunk = "800\r\n" + new string('x', 2048) + "\r\n";

        var (status, text) = await gateway.SendRawAsync(
            $"POST /api/v1/listings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {gateway.Token()}\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n");

        Assert.True(status == 413, text);
        Assert.Contains("\"too_large\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_many_header_fields_are_refused_with_431()
    {
        var many = string.Concat(Enumerable.Range(0, 80).Select(i => $"X-H{i}: 1\r\n"));

        var (status, text) = await fixture.Gateway.SendRawAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{many}\r\n");

        Assert.True(status == 431, text);
    }

    [Fact]
    public async Task Header_fields_that_are_too_large_are_refused_with_431()
    {
        var (status, text) = await fixture.Gateway.SendRawAsync($"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Large: {new string('x', 40_000)}\r\n\r\n");

        Assert.True(status == 431, text);
    }

    [Fact]
    public async Task Two_lengths_for_one_body_are_refused()
    {
        var (status, text) = await fixture.Gateway.SendRawAsync(
            "POST /connect/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nContent-Length: 40\r\n\r\nabcdGET /internal/events HTTP/1.1\r\nHost: x\r\n\r\n");

        Assert.True(status == 400, text);
    }

    [Fact]
    public async Task Strangers_are_limited_by_address_and_told_when_to_come_back()
    {
        await using var gateway = await StartedGateway.StartAsync(new() { ["Gateway:AnonymousLimit:Burst"] = "5", ["Gateway:AnonymousLimit:PerSecond"] = "1", ["Gateway:TrustedProxies:0"] = "127.0.0.1/32" });
        async Task<(int Passed, HttpResponseMessage Refused)> UntilRefused(string path)
        {
            for (var passed = 0; passed < 100; passed++)
            {
                var answer = await gateway.GetAsync(path, null, ("X-Forwarded-For", "198.51.100.1"));
                if (answer.StatusCode == HttpStatusCode.TooManyRequests)
                {
                    return (passed, answer);
                }
            }

            throw new InvalidOperationException("100 requests passed.");
        }

        var (passed, refused) = await UntilRefused("/connect/token");
        var (_, call) = await UntilRefused("/v1/models");

        Assert.InRange(passed, 5, 50);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 10);
        Assert.Equal("rate_limited", (await StartedGateway.JsonOf(refused)).GetProperty("code").GetString());
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
        Assert.Equal("rate_limit_error", (await StartedGateway.JsonOf(call)).GetProperty("error").GetProperty("type").GetString());
        for (var i = 0; i < 10; i++)
        {
            using var neighbour = await gateway.GetAsync("/connect/token", null, ("X-Forwarded-For", $"198.51.100.{100 + i}"));
            using var known = await gateway.GetAsync("/api/v1/services", gateway.Token(), ("X-Forwarded-For", "198.51.100.1"));
            using var live = await gateway.GetAsync("/health/live", null, ("X-Forwarded-For", "198.51.100.1"));
            using var byKey = await gateway.GetAsync("/v1/models", "llm_mk_x", ("X-Forwarded-For", "198.51.100.1"));
            using var byItsOwnHeader = await gateway.GetAsync("/v1/models", null, ("X-Forwarded-For", "198.51.100.1"), ("x-api-key", "llm_mk_x"));
            using var invoked = await gateway.SendAsync(HttpMethod.Post, "/api/v1/services/01a21532-06e5-7b01-8a35-f3f1e7921464/invoke", "llm_mk_x", null, ("X-Forwarded-For", "198.51.100.1"));
            Assert.NotEqual(HttpStatusCode.TooManyRequests, invoked.StatusCode);
            Assert.Equal([200, 200, 200, 404, 404], new[] { neighbour, known, live, byKey, byItsOwnHeader }.Select(answer => (int)answer.StatusCode));
        }
    }

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7")]
    [InlineData("2001:db8:1:2:aaaa::1", "20010db800010002")]
    [InlineData("2001:db8:1:2:bbbb::9", "20010db800010002")]
    [InlineData("2001:db8:1:3::1", "20010db800010003")]
    public void A_client_is_an_address_or_an_ipv6_network(string address, string client) =>
        Assert.Equal(client, ApiConventions.ClientAddress.Of(IPAddress.Parse(address)));

    [Theory]
    [InlineData("Gateway:MaxRequestBytes", "1")]
    [InlineData("Gateway:MaxAudioBytes", "1")]
    [InlineData("Gateway:TrustedProxies:0", "everybody")]
    [InlineData("Gateway:CorsOrigins:0", "https://portal.test/path")]
    [InlineData("Gateway:AnonymousLimit:Burst", "0")]
    public async Task A_wrong_setting_is_named_at_start(string setting, string value)
    {
        var refusal = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => StartedGateway.StartAsync(new() { [setting] = value }));

        Assert.Contains(setting.Replace(":0", "", StringComparison.Ordinal), refusal.Message, StringComparison.Ordinal);
    }
}
