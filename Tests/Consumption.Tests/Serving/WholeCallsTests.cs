using System.Net;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>Calls with a whole answer.</summary>
public sealed class WholeCallsTests(Marketplace marketplace)
{
    [Fact]
    public async Task Only_the_model_and_a_missing_cap_are_edited_and_all_else_passes_byte_for_byte()
    {
        const string answered = """{"id":"chatcmpl-1", "choices":[{"message":{"content":"\u00e4 ✓"}}],"usage":{"prompt_tokens":3,"completion_tokens":2},  "extra":{"n":1.00e5,"big":12345678901234567890}}""";
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Json(200, answered));
        const string before = """
             { "user" : "\u00fc ✓", "temperature":1.0e-1,"seed":12345678901234567890, "x":1,"x":2 ,
            """;
        const string after = """, "messages":[{"role":"user","content":"hi", "audio":null}], "unknown" : { "nested" : [ null, {} ] } }  """;

        var answer = await shop.Client.PostJsonAsync("/v1/chat/completions", $"{before}\"model\" : \"{shop.Model}\"{after}");

        Assert.Equal(answered, await answer.Content.ReadAsStringAsync());
        var at = before.IndexOf('{', StringComparison.Ordinal) + 1;
        Assert.Equal($"{before[..at]}\"max_tokens\":1000,{before[at..]}\"model\" : \"scripted-model\"{after}", Assert.Single(shop.Seen).Body);
    }

    [Theory]
    [InlineData("\"max_tokens\":7")]
    [InlineData("\"max_completion_tokens\":7")]
    public async Task A_cap_that_the_caller_set_stays(string cap)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));

        await shop.ChatAsync($"{cap},{Shop.Hello}");

        Assert.Equal(shop.Body($"{cap},{Shop.Hello}").Replace(shop.Model, "scripted-model", StringComparison.Ordinal), Assert.Single(shop.Seen).Body);
    }

    [Fact]
    public async Task The_provider_sees_its_own_credential_and_nothing_of_the_callers()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(shop.Body()) };
        request.Headers.Add("Cookie", "session=secret");
        request.Headers.Add("OpenAI-Organization", "org-secret");
        request.Headers.Add("x-request-id", "secret-id");

        var answer = await shop.Client.SendAsync(request);

        var seen = Assert.Single(shop.Seen);
        Assert.EndsWith("/v1/chat/completions", seen.Path, StringComparison.Ordinal);
        Assert.Equal("Bearer " + Marketplace.Credential, seen.Headers["authorization"]);
        Assert.Equal(answer.Header("x-request-id"), seen.Headers["x-request-id"]);
        Assert.DoesNotContain(seen.Headers, header => header.Value.Contains("secret", StringComparison.Ordinal) || header.Value.Contains(shop.Key.Text[7..], StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_answer_says_what_is_left_of_the_limits()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1), tier: OrganisationTier.Basic);

        var answer = await shop.ChatAsync();

        Assert.Equal("20", answer.Header("x-ratelimit-limit-requests"));
        Assert.InRange(int.Parse(answer.Header("x-ratelimit-remaining-requests")!, null), 0, 19);
        Assert.Matches("^[0-9]+(ms|(\\.[0-9]+)?s)$", answer.Header("x-ratelimit-reset-requests")!);
        Assert.True(long.Parse(answer.Header("x-ratelimit-remaining-tokens")!, null) < long.Parse(answer.Header("x-ratelimit-limit-tokens")!, null));
        Assert.Matches("^[0-9]+(ms|(\\.[0-9]+)?s|m[0-9]+s)$", answer.Header("x-ratelimit-reset-tokens")!);
        Assert.Null(answer.Header("x-should-retry"));
    }

    [Fact]
    public async Task Cached_tokens_have_their_own_price()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1_000, 10, cachedTokens: 600), Prices.PerMillionTokens(3m, 15m, cached: 0.3m));

        var record = await shop.RecordAsync(await shop.ChatAsync());

        Assert.Equal((400 * 0.000003m) + (600 * 0.0000003m) + (10 * 0.000015m), record.GetProperty("cost").GetDecimal());
        Assert.Equal((1_000, 600, 10), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("cachedInputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
        Assert.False(record.GetProperty("usageCounted").GetBoolean());
    }

    [Fact]
    public async Task A_record_tells_the_whole_call()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 3, 2));

        var answer = await shop.ChatAsync();

        var record = await shop.RecordAsync(answer);
        Assert.Equal(answer.Header("x-request-id"), record.Text("requestId"));
        Assert.Equal((shop.Key.Id, shop.Listing.ListingId, shop.Listing.Versions[0].VersionId), (record.GetProperty("keyId").GetGuid(), record.GetProperty("listingId").GetGuid(), record.GetProperty("versionId").GetGuid()));
        Assert.Equal((shop.Model, "chat.completions", "completed", 200), (record.Text("service"), record.Text("operation"), record.Text("outcome"), record.GetProperty("statusCode").GetInt32()));
        Assert.Equal((0.01m, "USD", false), (record.GetProperty("cost").GetDecimal(), record.Text("currency"), record.GetProperty("streamed").GetBoolean()));
        Assert.True(record.GetProperty("admittedAt").GetDateTimeOffset() <= record.GetProperty("settledAt").GetDateTimeOffset().AddSeconds(1));
        Assert.True(record.GetProperty("firstByteMs").GetDouble() <= record.GetProperty("latencyMs").GetDouble());
        Assert.Equal(200, Assert.Single(record.GetProperty("attempts").EnumerateArray()).GetProperty("status").GetInt32());
    }

    [Theory]
    [InlineData("""{"choices":[{"message":{"content":"12345678"}}]}""")]
    [InlineData("""{"choices":[{"message":{"content":"12345678"}}],"usage":null}""")]
    [InlineData("""{"choices":[{"message":{"content":"12345678"}}],"usage":{"prompt_tokens":-5,"completion_tokens":1}}""")]
    [InlineData("""{"choices":[{"message":{"content":"12345678"}}],"usage":{"prompt_tokens":1,"completion_tokens":99999999999}}""")]
    [InlineData("""{"choices":[{"message":{"content":"12345678"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":9}}}""")]
    public async Task Usage_that_is_missing_or_cannot_be_is_counted(string answered)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Json(200, answered), Prices.PerMillionTokens(1m, 1m));

        var record = await shop.RecordAsync(await shop.ChatAsync("\"messages\":[{\"role\":\"user\",\"content\":\"1234567890abcdef\"}]"));

        Assert.True(record.GetProperty("usageCounted").GetBoolean());
        Assert.Equal((4, 2), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
        Assert.Equal(0.000006m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_free_service_costs_nothing_and_is_metered_all_the_same()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 30, 20), Prices.Free);

        var record = await shop.RecordAsync(await shop.ChatAsync());

        Assert.Equal((0m, 30, 20), (record.GetProperty("cost").GetDecimal(), record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
    }

    [Fact]
    public async Task The_price_in_force_at_admission_is_charged()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 1)));
        var call = shop.ChatAsync();
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        var version = shop.Listing.Versions[0];
        await marketplace.TellAsync(shop.Listing with { Suspended = true, Versions = [version with { Specification = version.Specification with { Pricing = Prices.PerRequest(5m) } }] });
        gate.SetResult();

        Assert.Equal(HttpStatusCode.OK, (await call).StatusCode);
        Assert.Equal(0.01m, (await shop.RecordAsync(await call)).GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Who_leaves_before_the_answer_is_charged_for_what_was_sent_and_the_provider_is_hung_up_on()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(new TaskCompletionSource().Task, ProviderScripts.Fail(500)), Prices.PerMillionTokens(1m, 1m));
        using var leave = new CancellationTokenSource();
        var call = shop.StreamAsync("\"messages\":[{\"role\":\"user\",\"content\":\"1234567890abcdef\"}]", leave: leave.Token);
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await shop.Seen[0].Left.WaitAsync(TimeSpan.FromMinutes(3));
        var record = await shop.Member.RecordAsync(Guid.Parse(shop.Seen[0].Headers["x-request-id"]));
        Assert.Equal(("abandoned", 0, 0.000004m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
    }
}
