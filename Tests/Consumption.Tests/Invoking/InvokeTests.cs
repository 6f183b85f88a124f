using System.Net;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Invoking;

public sealed class InvokeTests(Marketplace marketplace)
{
    private const string Translate = """{ "operationId": "translate", "parameters": { "language": "de" }, "body": { "text": "Good morning" } }""";

    [Fact]
    public async Task An_operation_reaches_its_provider_as_the_document_says_and_the_answer_passes_untouched()
    {
        using var shop = await RestShop.OpenAsync(marketplace, call =>
        {
            call.Http.Response.Headers["set-cookie"] = "a=b";
            return ProviderScripts.Json(201, """{ "text":  "Guten Morgen" }""", ("etag", "\"7\""))(call);
        });

        var answer = await shop.InvokeAsync(
            """{ "method": "post", "path": "/texts/{language}", "parameters": { "language": "de/at", "formal": true, "tag": ["a b", "c"], "ids": [1, 2] }, "headers": { "x-style": "plain" }, "body": {"text": "Good  morning", "tone":"plain"} }""");

        Assert.Equal((HttpStatusCode.Created, """{ "text":  "Guten Morgen" }"""), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        Assert.Equal(("\"7\"", null), (answer.Header("etag"), answer.Header("set-cookie")));
        var seen = Assert.Single(shop.Seen);
        Assert.EndsWith("/v1/texts/de%2Fat", seen.Path, StringComparison.Ordinal);
        Assert.Equal(("?formal=true&tag=a%20b&tag=c&ids=1,2", """{"text": "Good  morning", "tone":"plain"}"""), (seen.Query, seen.Body));
        Assert.Equal(("plain", "application/json", $"Bearer {Marketplace.Credential}"), (seen.Headers["x-style"], seen.Headers["content-type"], seen.Headers["authorization"]));
        Assert.Equal($"{shop.Model}@1.0.0", answer.Header("x-marketplace-model"));
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("invoke", "completed", 0.01m, 201), (record.Text("operation"), record.Text("outcome"), record.GetProperty("cost").GetDecimal(), record.GetProperty("statusCode").GetInt32()));
        Assert.Equal(1, record.GetProperty("attempts").GetArrayLength());
    }

    [Theory]
    [InlineData("""{ "operationId": "translate" }""", "missing /parameters/language", "missing /body")]
    [InlineData("""{ "operationId": "translate", "parameters": { "language": "d", "other": 1 }, "headers": { "authorization": "x" }, "body": { "text": "", "more": 1, "parts": [{ "tone": "plain" }, 2] } }""",
        "unknown /parameters/other", "unknown /headers/authorization", "invalid /parameters/language", "invalid /body/text", "missing /body/parts/0/text", "invalid /body/parts/1", "unknown /body/more")]
    [InlineData("""{ "operationId": "translate", "parameters": { "language": "de", "formal": "yes", "tag": ["a", "b", "c", "d"] }, "body": { "text": "a", "tone": "loud" } }""",
        "invalid /parameters/formal", "invalid /parameters/tag", "invalid /body/tone")]
    [InlineData("""{ "operationId": "job", "parameters": { "id": ".." }, "body": {} }""", "invalid /parameters/id", "unknown /body")]
    [InlineData("""{ "operationId": "nothing" }""", "unknown /operationId")]
    [InlineData("""{ "parameters": { "language": "de" } }""", "missing /operationId")]
    [InlineData("""{ "operation": "job", "parameters": [] }""", "unknown /operation", "invalid /parameters")]
    public async Task What_the_document_does_not_allow_is_named_by_its_pointer_and_leaves_nothing_behind(string body, params string[] issues)
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));

        var answer = await shop.InvokeAsync(body);

        Assert.Equal((400, "invalid_request"), await answer.ProblemAsync());
        Assert.Equal(issues.Order(), (await answer.IssuesAsync()).Order());
        Assert.Empty(shop.Seen);
        Assert.Equal(0, (await shop.TotalAsync()).Calls);
    }

    [Fact]
    public async Task A_service_that_the_caller_may_not_see_does_not_exist()
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));
        await marketplace.TellAsync(shop.Listing with { Visibility = new ListingVisibility(VisibilityKind.Private, []) });
        await marketplace.KnowsAsync(shop.Listing, version => version.Listing.Facts(true).Audience == Entitlement.AudienceKind.Private);

        var hidden = await shop.InvokeAsync(Translate);
        var unknown = await shop.Client.PostJsonAsync($"/api/v1/services/{Guid.CreateVersion7()}/invoke", Translate);

        Assert.Equal((404, "not_found"), await hidden.ProblemAsync());
        Assert.Equal((404, "not_found"), await unknown.ProblemAsync());
        Assert.Equal((await unknown.JsonAsync()).Text("detail"), (await hidden.JsonAsync()).Text("detail"));
        Assert.Empty(shop.Seen);
    }

    [Theory]
    [InlineData(404, 404, "refused-by-provider")]
    [InlineData(422, 422, "refused-by-provider")]
    [InlineData(401, 502, "failed")]
    [InlineData(302, 502, "failed")]
    [InlineData(500, 502, "failed")]
    public async Task What_the_service_refuses_passes_and_what_speaks_of_the_provider_does_not(int status, int told, string outcome)
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(status, """{"why":"because"}""", ("location", "http://169.254.169.254/")));

        var answer = await shop.InvokeAsync(Translate);

        Assert.Equal((told, status == told), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync() == """{"why":"because"}"""));
        Assert.Null(answer.Header("location"));
        var record = await shop.RecordAsync(answer);
        Assert.Equal((outcome, 0m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task A_call_that_the_provider_could_not_take_is_tried_again_and_stands_in_one_record()
    {
        var calls = 0;
        using var shop = await RestShop.OpenAsync(marketplace, call => Interlocked.Increment(ref calls) == 1 ? ProviderScripts.Fail(503)(call) : ProviderScripts.Json(200, "{}")(call));

        var answer = await shop.InvokeAsync(Translate);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal([503, 200], (await shop.RecordAsync(answer)).GetProperty("attempts").EnumerateArray().Select(attempt => attempt.GetProperty("status").GetInt32()));
        Assert.Equal((1, 0.01m), await shop.TotalAsync());
    }

    [Fact]
    public async Task A_repeat_with_the_same_idempotency_key_gets_the_first_answer_with_its_status_and_is_charged_once()
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(202, """{"job":7}"""));
        using var other = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, """{"other":1}"""));
        using var client = shop.Key.Client();
        client.DefaultRequestHeaders.Add("Idempotency-Key", "one");

        var first = await shop.InvokeAsync(Translate, client);
        await shop.ShippedAsync();
        var repeat = await shop.InvokeAsync(Translate, client);
        var elsewhere = await other.InvokeAsync(Translate, client);

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.Accepted), (first.StatusCode, repeat.StatusCode));
        Assert.Equal((first.RequestId(), "true", """{"job":7}"""), (repeat.RequestId(), repeat.Header("idempotent-replayed"), await repeat.Content.ReadAsStringAsync()));
        Assert.Equal("""{"other":1}""", await elsewhere.Content.ReadAsStringAsync());
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task Who_cannot_pay_is_refused_with_a_problem()
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));
        await shop.Member.SetBudgetAsync(0.015m);

        var paid = await shop.InvokeAsync(Translate);
        await shop.ShippedAsync();
        var refused = await shop.InvokeAsync(Translate);

        Assert.Equal(HttpStatusCode.OK, paid.StatusCode);
        Assert.Equal((429, "insufficient_quota"), await refused.ProblemAsync());
        Assert.Equal("false", refused.Header("x-should-retry"));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task Events_of_a_service_arrive_as_they_are_sent()
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await RestShop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, "data: 1\n\n");
            await heard.Task.WaitAsync(call.Http.RequestAborted);
            await ProviderScripts.SendAsync(call, "data: 2\n\n");
        });

        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/services/{shop.Listing.ListingId}/invoke") { Content = Json.Content(Translate) };
        using var answer = await shop.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal("data: 1", await reader.ReadLineAsync());
        heard.SetResult();

        Assert.Equal("\ndata: 2\n\n", await reader.ReadToEndAsync());
        Assert.Equal(("completed", 0.01m), ((await shop.RecordAsync(answer)).Text("outcome"), (await shop.RecordAsync(answer)).GetProperty("cost").GetDecimal()));
    }

    [Theory]
    [InlineData("mirror", "{}")]
    [InlineData("names", "{\"a\":1}")]
    [InlineData("tree", null)]
    [InlineData("pattern", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"")]
    [InlineData("upload", "{}")]
    public async Task A_document_that_would_take_for_ever_to_check_by_takes_nobody_down(string operation, string? body)
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));
        body ??= string.Concat(Enumerable.Repeat("{\"x\":", 40)) + "1" + new string('}', 40);

        var answer = await shop.InvokeAsync($$"""{ "operationId": "{{operation}}", "body": {{body}} }""");

        Assert.Equal((400, "unsupported_operation"), await answer.ProblemAsync());
        Assert.Equal(HttpStatusCode.OK, (await shop.InvokeAsync(Translate)).StatusCode);
    }

    [Theory]
    [InlineData("""{ "operationId": "job", "operationId": "translate" }""", 400, "invalid_json")]
    [InlineData("[]", 400, "invalid_json")]
    [InlineData("""{ "operationId": "\ud800" }""", 400, "invalid_json")]
    [InlineData("""{ "version": "2", "operationId": "job" }""", 404, "not_found")]
    public async Task What_is_no_call_is_refused(string body, int status, string code)
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));

        Assert.Equal((status, code), await (await shop.InvokeAsync(body)).ProblemAsync());
    }

    [Fact]
    public async Task A_key_is_needed_and_what_is_not_of_this_kind_says_where_it_is_called()
    {
        using var shop = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"));
        using var chat = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var tokens = await RestShop.OpenAsync(marketplace, ProviderScripts.Json(200, "{}"), Prices.PerMillionTokens(1m));
        using var nobody = new HttpClient { BaseAddress = shop.Client.BaseAddress };

        Assert.Equal((401, "missing_api_key"), await (await shop.InvokeAsync(Translate, nobody)).ProblemAsync());
        Assert.Equal((400, "unsupported_operation"), await (await chat.InvokeAsync(Translate)).ProblemAsync());
        Assert.Equal((400, "not_priced"), await (await tokens.InvokeAsync(Translate)).ProblemAsync());
        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_operation", "model"), await (await shop.ChatAsync()).ErrorAsync());
    }
}
