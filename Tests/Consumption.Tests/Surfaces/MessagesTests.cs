using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>Anthropic's Messages, passed through to providers that speak it.</summary>
public sealed class MessagesTests(Marketplace marketplace)
{
    private static readonly ServicePricing Pricing = new(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 3m, 15m, 0.3m) { CacheWrite = 3.75m, CacheWrite1h = 6m }]);

    [Fact]
    public async Task A_message_passes_through_untouched_and_each_kind_of_input_is_charged_at_its_own_rate()
    {
        var script = ProviderScripts.Json(200, """
            {"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,
             "usage":{"input_tokens":100,"cache_read_input_tokens":1000,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100},"output_tokens":50}}
            """);
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync();
        using var client = new HttpClient { BaseAddress = marketplace.Service.Client.BaseAddress };
        client.DefaultRequestHeaders.Add("x-api-key", key.Text);
        client.DefaultRequestHeaders.Add("anthropic-version", "2023-06-01");
        client.DefaultRequestHeaders.Add("anthropic-beta", "interleaved-thinking-2025-05-14");

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"messages":[{"role":"user","content":"Hi"}],"some_new_field":{"a":1} }"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var (seen, path) = marketplace.Seen(answer);
        Assert.Equal("/v1/messages", path);
        Assert.Equal(Marketplace.Credential, seen.Headers["x-api-key"]);
        Assert.False(seen.Headers.ContainsKey("authorization"));
        Assert.Equal("interleaved-thinking-2025-05-14", seen.Headers["anthropic-beta"]);
        Assert.Equal("""{"model":"scripted-model","max_tokens":100,"messages":[{"role":"user","content":"Hi"}],"some_new_field":{"a":1} }""", seen.Body);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal("messages", record.GetProperty("operation").GetString());
        Assert.Equal(1400, record.GetProperty("inputTokens").GetInt64());
        Assert.Equal(1000, record.GetProperty("cachedInputTokens").GetInt64());
        Assert.Equal(((100 * 3m) + (1000 * 0.3m) + (200 * 3.75m) + (100 * 6m) + (50 * 15m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_stream_of_messages_ends_with_its_own_last_event_and_is_charged_by_its_running_totals()
    {
        const string stream = """
            event: message_start
            data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"usage":{"input_tokens":20,"cache_read_input_tokens":5,"output_tokens":1}}}

            event: ping
            data: {"type":"ping"}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}

            event: message_stop
            data: {"type":"message_stop"}


            """;
        var script = SurfaceMarket.Streaming(stream);
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[]}"""));

        Assert.Equal(stream, await answer.Content.ReadAsStringAsync());
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal("completed", record.GetProperty("outcome").GetString());
        Assert.Equal((25, 5, 15), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("cachedInputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
        Assert.False(record.GetProperty("usageCounted").GetBoolean());
    }

    [Fact]
    public async Task A_cut_stream_of_messages_ends_with_anthropics_error_event()
    {
        var (script, arrived) = SurfaceMarket.CutAfter("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}}\n\n");
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var requestId = Guid.Empty;
        var text = await client.ReadStreamAsync(
            "/v1/messages", $$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[]}""", arrived, answer => requestId = answer.RequestId());

        Assert.DoesNotContain("message_stop", text, StringComparison.Ordinal);
        var last = text.TrimEnd('\n').Split("\n\n")[^1];
        Assert.StartsWith("event: error\ndata: ", last, StringComparison.Ordinal);
        var error = JsonElement.Parse(last["event: error\ndata: ".Length..]);
        Assert.Equal("error", error.GetProperty("type").GetString());
        Assert.Equal("api_error", error.GetProperty("error").GetProperty("type").GetString());
        Assert.Equal("cut", (await member.RecordAsync(requestId)).GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData("/v1/messages")]
    [InlineData("/v1/chat/completions")]
    public async Task Who_leaves_a_stream_of_messages_before_its_last_figures_pays_for_the_text_that_came(string path)
    {
        var service = await marketplace.AddServiceAsync(
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, Begun("twelve bytes"));
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            Pricing,
            EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}""") };
        Guid id;
        using (var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            id = answer.RequestId();
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && !line.Contains("twelve bytes", StringComparison.Ordinal))
            {
                // Up to the text.
            }
        }

        AssertCharged(await member.RecordAsync(id), "abandoned", output: 3, counted: true);
    }

    [Theory]
    [InlineData("", 3, true)]
    [InlineData("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n", 2, false)]
    public async Task A_cut_stream_of_messages_is_charged_by_its_text_unless_figures_came_after_it(string more, int output, bool counted)
    {
        var (script, arrived) = SurfaceMarket.CutAfter(Begun("twelve bytes") + more);
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var id = Guid.Empty;
        await client.ReadStreamAsync("/v1/messages", $$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[]}""", arrived, answer => id = answer.RequestId());

        AssertCharged(await member.RecordAsync(id), "cut", output, counted);
    }

    [Theory]
    [InlineData("/v1/messages")]
    [InlineData("/v1/chat/completions")]
    public async Task A_whole_stream_of_messages_whose_figures_all_came_before_its_text_is_charged_by_that(string path)
    {
        const string end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        var service = await marketplace.AddServiceAsync(SurfaceMarket.Streaming(Begun("twelve bytes") + end), Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync(path, Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"""));

        AssertCharged(await member.RecordAsync(answer.RequestId()), "completed", output: 3, counted: true);
    }

    [Fact]
    public async Task Who_leaves_while_tokens_are_counted_uses_none()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var service = await marketplace.AddServiceAsync(
            async call =>
            {
                asked.SetResult();
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            Pricing,
            EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        using var leaving = new CancellationTokenSource();

        var call = client.PostAsync("/v1/messages/count_tokens", Body($$"""{"model":"acme/{{service.Name}}","messages":[{"role":"user","content":"a text that would be counted"}]}"""), leaving.Token);
        await asked.Task;
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        var record = await Until.SomeAsync(async () => (await member.Client.GetFromJsonAsync<JsonElement>("/api/v1/usage/records")).GetProperty("items").EnumerateArray().Select(item => (JsonElement?)item).SingleOrDefault());
        Assert.Equal(("abandoned", 0, false), (record.GetProperty("outcome").GetString(), record.GetProperty("inputTokens").GetInt32(), record.GetProperty("exceededReservation").GetBoolean()));
    }

    [Theory]
    [InlineData(null, 401, "authentication_error")]
    [InlineData("acme/nothing-of-this-name", 404, "not_found_error")]
    public async Task A_refusal_is_in_anthropics_shape(string? model, int status, string type)
    {
        var member = await marketplace.AddOrganisationAsync();
        using var client = model is null ? new HttpClient { BaseAddress = marketplace.Service.Client.BaseAddress } : (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"{{model}}","max_tokens":100,"messages":[]}"""));

        Assert.Equal(status, (int)answer.StatusCode);
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("error", body.GetProperty("type").GetString());
        Assert.Equal(type, body.GetProperty("error").GetProperty("type").GetString());
        Assert.Equal(answer.RequestId().ToString(), body.GetProperty("request_id").GetString());
    }

    [Theory]
    [InlineData("""{"type":"create"}""")]
    [InlineData("""{"type":"continue","previous_message_id":"msg_of_somebody_else"}""")]
    public async Task A_thread_that_the_provider_would_keep_is_refused_so_that_clients_send_the_whole_conversation(string thread)
    {
        var service = await marketplace.AddServiceAsync(ProviderScripts.Fail(500), Pricing, EndpointProtocol.Anthropic);
        using var client = (await (await marketplace.AddOrganisationAsync()).CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"messages":[],"thread":{{thread}} }"""));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(("invalid_request_error", "thread_unsupported_request"), (error.Text("type"), error.GetProperty("details").Text("error_code")));
        Assert.DoesNotContain(marketplace.Provider.Calls, call => call.Body.Contains("msg_of_somebody_else", StringComparison.Ordinal));
        Assert.Equal(answer.RequestId().ToString(), answer.Header("request-id"));
    }

    [Fact]
    public async Task Counting_tokens_is_passed_through_and_free()
    {
        var script = ProviderScripts.Json(200, """{"input_tokens":2095}""");
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages/count_tokens", Body($$"""{"model":"acme/{{service.Name}}","messages":[{"role":"user","content":"a text that would be counted"}]}"""));

        Assert.Equal("""{"input_tokens":2095}""", await answer.Content.ReadAsStringAsync());
        Assert.Equal("/v1/messages/count_tokens", marketplace.Seen(answer).Path);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal((0, 0m), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
    }

    /// <summary>A stream up to its first text: its start tells all of the input, and one token of output.</summary>
    private static string Begun(string text) =>
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}}\n\n"
        + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        + $"event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n";

    private static void AssertCharged(JsonElement record, string outcome, int output, bool counted)
    {
        Assert.Equal((outcome, 20, output, counted), (record.GetProperty("outcome").GetString(), record.GetProperty("inputTokens").GetInt32(), record.GetProperty("outputTokens").GetInt32(), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(((20 * 3m) + (output * 15m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    private static StringContent Body(string json) => new(json, Encoding.UTF8, "application/json");
}
