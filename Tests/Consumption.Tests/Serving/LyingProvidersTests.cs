using System.IO.Compression;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>Providers whose answers are not what they claim: bounded memory, the right error, one record, and nothing reserved for good.</summary>
public sealed class LyingProvidersTests(Marketplace marketplace)
{
    private const string Completion = """{"choices":[{"index":0,"message":{"role":"assistant","content":"12345678"},"finish_reason":"stop"}]$}""";

    private static readonly object Budgeted = new { name = "test", budget = new { amount = 5m, currency = "USD", period = "day" } };

    [Theory]
    [InlineData(200)]
    [InlineData(400)]
    public async Task An_answer_in_an_encoding_that_was_not_asked_for_is_the_providers_failure(int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, key: Budgeted, answer: async call =>
        {
            call.Http.Response.StatusCode = status;
            call.Http.Response.ContentType = "application/json";
            call.Http.Response.Headers.ContentEncoding = "gzip";
            await using var zipped = new GZipStream(call.Http.Response.Body, CompressionLevel.Fastest);
            await zipped.WriteAsync(Encoding.UTF8.GetBytes(Completion.Replace("$", "", StringComparison.Ordinal)));
        });

        await AssertFailedAsync(shop, await shop.ChatAsync());
        Assert.Equal("identity", shop.Seen[0].Headers["accept-encoding"]);
    }

    [Fact]
    public async Task A_stream_in_an_encoding_that_was_not_asked_for_is_the_providers_failure()
    {
        using var shop = await Shop.OpenAsync(marketplace, key: Budgeted, answer: async call =>
        {
            call.Http.Response.Headers.ContentEncoding = "br";
            await ProviderScripts.Stream(["Hello"], 1, 1)(call);
        });

        await AssertFailedAsync(shop, await shop.ChatAsync(Shop.Hello + ",\"stream\":true"));
    }

    [Theory]
    [InlineData(204)]
    [InlineData(205)]
    public async Task Success_without_an_answer_is_the_providers_failure(int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, key: Budgeted, answer: call =>
        {
            call.Http.Response.StatusCode = status;
            return Task.CompletedTask;
        });

        await AssertFailedAsync(shop, await shop.ChatAsync());
    }

    [Theory]
    [InlineData("1e200000")]
    [InlineData("1E-20000")]
    public async Task A_figure_that_no_database_holds_is_not_kept_and_holds_up_no_record(string figure)
    {
        using var shop = await Shop.OpenAsync(
            marketplace, ProviderScripts.Json(200, Completion.Replace("$", $",\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":{figure}}}", StringComparison.Ordinal)), Prices.PerMillionTokens(4m, 8m));

        var record = await shop.RecordAsync(await shop.ChatAsync());

        Assert.Equal((3, 2), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
        Assert.False(record.TryGetProperty("providerUsage", out var told) && told.ValueKind != JsonValueKind.Null);
    }

    [Theory]
    [InlineData("{\"prompt_tokens\":-1,\"completion_tokens\":5}")]
    [InlineData("{\"prompt_tokens\":1e300,\"completion_tokens\":5}")]
    [InlineData("{\"prompt_tokens\":9223372036854775808,\"completion_tokens\":5}")]
    [InlineData("{\"prompt_tokens\":4294967296,\"completion_tokens\":5}")]
    [InlineData("{\"prompt_tokens\":1,\"completion_tokens\":\"5\"}")]
    [InlineData("{\"prompt_tokens\":1,\"completion_tokens\":1.5}")]
    [InlineData("{\"prompt_tokens\":1,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":2}}")]
    [InlineData("[1,5]")]
    [InlineData("\"five\"")]
    public async Task Usage_that_cannot_be_is_counted_instead(string usage)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Json(200, Completion.Replace("$", ",\"usage\":" + usage, StringComparison.Ordinal)), Prices.PerMillionTokens(4m, 8m));

        var answer = await shop.ChatAsync();

        var record = await shop.RecordAsync(answer);
        Assert.Equal(("completed", true), (record.Text("outcome"), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal((1, 2, ((1 * 4m) + (2 * 8m)) / 1_000_000m), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(100_000, true)]
    public async Task What_comes_to_more_than_was_reserved_is_charged_in_full_and_flagged(int output, bool exceeded)
    {
        using var shop = await Shop.OpenAsync(
            marketplace, ProviderScripts.Json(200, Completion.Replace("$", $",\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":{output}}}", StringComparison.Ordinal)), Prices.PerMillionTokens(4m, 8m));

        var record = await shop.RecordAsync(await shop.ChatAsync(Shop.Hello + ",\"max_tokens\":10"));

        Assert.Equal((((3 * 4m) + (output * 8m)) / 1_000_000m, exceeded), (record.GetProperty("cost").GetDecimal(), record.GetProperty("exceededReservation").GetBoolean()));
    }

    [Fact]
    public async Task Usage_beyond_all_measure_is_charged_in_full_and_shuts_nobody_out_for_longer_than_its_limits()
    {
        const decimal rate = 1_000_000m; // The highest that a listing may have.
        using var shop = await Shop.OpenAsync(
            marketplace,
            ProviderScripts.Json(200, Completion.Replace("$", ",\"usage\":{\"prompt_tokens\":10000000,\"completion_tokens\":10000000}", StringComparison.Ordinal)),
            new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "token", rate, rate, null)]));

        var first = await shop.ChatAsync();
        HttpResponseMessage? next = null;
        await Until.TrueAsync(async () => (next = await shop.ChatAsync()).IsSuccessStatusCode); // Its bucket of tokens is empty now, and full again in a minute.

        Assert.Equal((20_000_000 * rate, true), ((await shop.RecordAsync(first)).GetProperty("cost").GetDecimal(), (await shop.RecordAsync(next!)).GetProperty("exceededReservation").GetBoolean()));
        await Until.TrueAsync(async () => (await (await shop.Client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key").GetProperty("open_calls").GetInt64() == 0);
    }

    [Fact]
    public async Task Of_usage_that_is_told_twice_the_last_counts_once()
    {
        const string twice = ""","usage":{"prompt_tokens":900,"completion_tokens":900},"usage":{"prompt_tokens":3,"completion_tokens":2}""";
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Json(200, Completion.Replace("$", twice, StringComparison.Ordinal)), Prices.PerMillionTokens(4m, 8m));

        var record = await shop.RecordAsync(await shop.ChatAsync());

        Assert.Equal((3, 2), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
        Assert.Equal((1, 28m / 1_000_000m), await shop.TotalAsync());
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"cho")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\nContent-Length: 2\r\n\r\n{\"cho")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n\r\n{}")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n{\"cho")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n{}")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n")]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\n")]
    [InlineData("HTTP/2.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("")]
    public async Task What_is_no_HTTP_is_the_providers_failure(string said) =>
        await AssertRawAsync((stream, stop) => stream.WriteAsync(Encoding.ASCII.GetBytes(said), stop).AsTask());

    [Fact]
    public async Task Headers_without_end_are_not_read() => await AssertRawAsync(async (stream, stop) =>
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"u8.ToArray(), stop);
        var header = Encoding.ASCII.GetBytes($"x-flood: {new string('a', 8_000)}\r\n");
        while (true)
        {
            await stream.WriteAsync(header, stop);
        }
    });

    [Fact]
    public async Task Answers_that_are_always_about_to_come_are_not_waited_for()
    {
        var sent = 0L;
        await AssertRawAsync(async (stream, stop) =>
        {
            var soon = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100)));
            while (true)
            {
                await stream.WriteAsync(soon, stop);
                sent += soon.Length;
            }
        });
        Assert.InRange(sent, 1, 32 * 1024 * 1024); // Nearly all of it waits in the system's buffers.
    }

    private async Task AssertRawAsync(Func<NetworkStream, CancellationToken, Task> answer)
    {
        var segment = Guid.CreateVersion7().ToString("n");
        marketplace.Raw.Answer(segment, answer);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("", 1, 1), key: Budgeted, endpoint: at => at with { Url = $"http://raw.local/{segment}/v1" });

        await AssertFailedAsync(shop, await shop.ChatAsync());
        Assert.Equal(1, marketplace.Raw.CallsOf(segment)); // It may have been carried out: nobody sends it again.
    }

    private static async Task AssertFailedAsync(Shop shop, HttpResponseMessage answer)
    {
        Assert.Equal(new OpenAiError(502, "provider_error", "provider_error", null), await answer.ErrorAsync());
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 502, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal((1, 0m), await shop.TotalAsync());
        await Until.TrueAsync(async () =>
        {
            var standing = (await (await shop.Client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key");
            return (standing.GetProperty("open_calls").GetInt64(), standing.GetProperty("budget").GetProperty("spent").GetDecimal()) == (0, 0m);
        });
    }
}
