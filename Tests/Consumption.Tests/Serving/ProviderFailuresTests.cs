using System.Net;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>What a caller, the books and the provider see when a provider fails.</summary>
public sealed class ProviderFailuresTests(Marketplace marketplace)
{
    [Theory]
    [InlineData(500, 502, "provider_error", "failed", 1)]
    [InlineData(501, 502, "provider_error", "failed", 1)]
    [InlineData(302, 502, "provider_error", "failed", 1)]
    [InlineData(502, 502, "provider_error", "failed", 3)]
    [InlineData(504, 504, "provider_timeout", "failed", 3)]
    [InlineData(503, 503, "provider_unavailable", "failed", 3)]
    [InlineData(429, 429, "provider_rate_limited", "refused-by-provider", 3)]
    [InlineData(401, 502, "provider_misconfigured", "failed", 1)]
    [InlineData(403, 502, "provider_misconfigured", "failed", 1)]
    [InlineData(404, 502, "provider_misconfigured", "failed", 1)]
    public async Task A_providers_status_is_told_as_it_concerns_the_caller_and_costs_nothing(int status, int told, string code, string outcome, int attempts)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(status, ("location", "/elsewhere")));

        var answer = await shop.ChatAsync();

        Assert.Equal((told, "provider_error", code), ((int)answer.StatusCode, (await answer.ErrorAsync()).Type, (await answer.ErrorAsync()).Code));
        Assert.DoesNotContain("scripted failure", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var record = await shop.RecordAsync(answer);
        Assert.Equal((outcome, told, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal(Enumerable.Repeat(status, attempts), record.GetProperty("attempts").EnumerateArray().Select(attempt => attempt.GetProperty("status").GetInt32()));
        Assert.Equal(attempts, shop.Seen.Count);
        Assert.Single(shop.Seen.Select(call => call.Body).Distinct());
        Assert.Equal(code == "provider_misconfigured" ? "false" : null, answer.Header("x-should-retry"));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(409)]
    [InlineData(413)]
    [InlineData(422)]
    public async Task A_providers_refusal_of_what_the_caller_wrote_passes_byte_for_byte(int status)
    {
        const string body = """{"error": {"message":"too many messages","type":"invalid_request_error","param":"messages","code":"x"}}""";
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Json(status, body));

        var answer = await shop.ChatAsync();

        Assert.Equal((status, body), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("refused-by-provider", status, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Theory]
    [InlineData(503)]
    [InlineData(502)]
    [InlineData(504)]
    [InlineData(429)]
    public async Task A_passing_failure_is_tried_again_with_the_same_body_and_charged_once(int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.OneByOne(ProviderScripts.Fail(status), ProviderScripts.Chat("hi", 1, 1)));

        var answer = await shop.ChatAsync();

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(2, shop.Seen.Count);
        Assert.Equal(shop.Seen[0].Body, shop.Seen[1].Body);
        Assert.Equal([status, 200], (await shop.RecordAsync(answer)).GetProperty("attempts").EnumerateArray().Select(attempt => attempt.GetProperty("status").GetInt32()));
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task A_provider_that_wants_a_long_pause_is_not_tried_again_and_the_caller_is_told_how_long(int status)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(status, ("retry-after", "30")));

        var answer = await shop.ChatAsync();

        Assert.Equal((status, "30"), ((int)answer.StatusCode, answer.Header("retry-after")));
        Assert.Single(shop.Seen);
    }

    [Theory]
    [InlineData("315360000")]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT")]
    public async Task A_pause_beyond_all_reason_is_kept_for_an_hour_at_most(string wait)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Fail(429, ("retry-after", wait)));
        await shop.ChatAsync();

        var next = await shop.ChatAsync();

        Assert.Equal("provider_rate_limited", await next.ErrorCodeAsync());
        Assert.InRange(int.Parse(next.Header("retry-after")!, System.Globalization.CultureInfo.InvariantCulture), 1, 3_600);
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task A_call_that_may_have_been_carried_out_is_not_sent_again()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Cut);

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_error", null), await answer.ErrorAsync());
        Assert.Single(shop.Seen);
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 0m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Equal("reset", Assert.Single(record.GetProperty("attempts").EnumerateArray()).Text("error"));
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_a_failed_call()
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            call.Http.Response.ContentType = "application/json";
            call.Http.Response.ContentLength = 1_000;
            await ProviderScripts.SendAsync(call, """{"choices":[""");
            await ProviderScripts.Cut(call);
        });

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_error", null), await answer.ErrorAsync());
        Assert.Equal("failed", (await shop.RecordAsync(answer)).Text("outcome"));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task A_provider_that_is_down_is_tried_three_times()
    {
        var listing = await marketplace.AddServiceAsync(url: "http://down.local/v1");
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{listing.Name}}",{{Shop.Hello}} }""");

        Assert.Equal(new OpenAiError(503, "provider_error", "provider_unavailable", null), await answer.ErrorAsync());
        var record = await member.RecordAsync(Guid.Parse(answer.Header("x-request-id")!));
        Assert.Equal(("failed", 503, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal(["connect", "connect", "connect"], record.GetProperty("attempts").EnumerateArray().Select(attempt => attempt.Text("error")));
    }

    [Fact]
    public async Task A_provider_that_is_too_slow_is_hung_up_on_and_costs_nothing()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(new TaskCompletionSource().Task, ProviderScripts.Fail(500)), timeoutMs: 2_000);

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(504, "provider_error", "provider_timeout", null), await answer.ErrorAsync());
        await Assert.Single(shop.Seen).Left.WaitAsync(TimeSpan.FromMinutes(3));
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 504, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
    }

    [Theory]
    [InlineData("application/json", "")]
    [InlineData("application/json", "[]")]
    [InlineData("application/json", "\"text\"")]
    [InlineData("application/json", "{\"choices\":[")]
    [InlineData("application/json", "{} {}")]
    [InlineData("text/html", "<html>It works!</html>")]
    [InlineData("application/json", "{\"error\":{\"message\":\"inside a 200\"}}")]
    [InlineData("text/event-stream", "data: {}\n\n")]
    public async Task A_200_that_is_no_answer_is_the_providers_failure(string type, string body)
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            call.Http.Response.ContentType = type;
            await ProviderScripts.SendAsync(call, body);
        });

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_error", null), await answer.ErrorAsync());
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 502, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_answer_that_is_too_large_is_not_passed_on(bool saysHowLarge)
    {
        await using var bounded = await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Calls:MaxAnswerBytes", "2048"));
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            call.Http.Response.ContentType = "application/json";
            call.Http.Response.ContentLength = saysHowLarge ? 4_000 : null;
            await ProviderScripts.SendAsync(call, "{\"choices\":[]}".PadRight(4_000));
        });
        using var client = shop.Key.Client(bounded);

        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        var answer = await shop.ChatAsync(client: client);

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_error", null), await answer.ErrorAsync());
        Assert.Equal("failed", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Fact]
    public async Task Where_no_listing_may_lead_no_call_goes()
    {
        var listing = await marketplace.AddServiceAsync(url: "http://169.254.169.254/v1");
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{listing.Name}}",{{Shop.Hello}} }""");

        Assert.Equal((502, "provider_misconfigured"), ((int)answer.StatusCode, (await answer.ErrorAsync()).Code));
        Assert.Equal("failed", (await member.RecordAsync(Guid.Parse(answer.Header("x-request-id")!))).Text("outcome"));
    }
}
