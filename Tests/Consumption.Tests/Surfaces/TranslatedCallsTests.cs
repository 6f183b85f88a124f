using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>Callers of one protocol, providers of the other.</summary>
public sealed class TranslatedCallsTests(Marketplace marketplace)
{
    private const string Message = """
        {"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,
         "usage":{"input_tokens":10,"cache_read_input_tokens":30,"output_tokens":5}}
        """;

    private static readonly ServicePricing Pricing = Prices.PerMillionTokens(3m, 15m, 0.3m);

    [Fact]
    public async Task A_chat_is_served_by_a_provider_of_messages_and_charged_by_what_that_one_counts()
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, Message), EndpointProtocol.Anthropic);

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"""));

        var said = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("Hello", said.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal((40, 5), (said.GetProperty("usage").GetProperty("prompt_tokens").GetInt64(), said.GetProperty("usage").GetProperty("completion_tokens").GetInt64()));
        var (seen, path) = marketplace.Seen(answer);
        Assert.Equal("/v1/messages", path);
        var sent = JsonElement.Parse(seen.Body);
        Assert.Equal(("scripted-model", 1000), (sent.GetProperty("model").GetString(), sent.GetProperty("max_tokens").GetInt64()));
        Assert.Contains("Be brief.", sent.GetProperty("system").GetRawText(), StringComparison.Ordinal);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("chat.completions", 40, 30), (record.GetProperty("operation").GetString(), record.GetProperty("inputTokens").GetInt64(), record.GetProperty("cachedInputTokens").GetInt64()));
        Assert.Equal(((10 * 3m) + (30 * 0.3m) + (5 * 15m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_chat_says_where_a_provider_of_messages_caches_and_pays_for_what_was_written_there()
    {
        const string Cached = """
            {"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,
             "usage":{"input_tokens":10,"cache_creation_input_tokens":2000,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":2000},"output_tokens":5}}
            """;
        var pricing = Pricing with { Rates = [Pricing.Rates[0] with { CacheWrite = 3.75m, CacheWrite1h = 6m }] };
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, Cached), EndpointProtocol.Anthropic, pricing);

        var answer = await client.PostAsync("/v1/chat/completions", Body($$$"""
            {"model":"acme/{{{service.Name}}}","prompt_cache_key":"k","messages":[{"role":"system","content":[{"type":"text","text":"A long book.","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"user","content":"Hi"}]}
            """));

        Assert.Equal((HttpStatusCode.OK, "prompt_cache_key"), (answer.StatusCode, answer.Headers.GetValues("x-marketplace-dropped").Single()));
        var sent = JsonElement.Parse(marketplace.Seen(answer).Call.Body);
        Assert.Equal("""{"type":"ephemeral","ttl":"1h"}""", sent.GetProperty("system")[0].GetProperty("cache_control").GetRawText());
        Assert.Equal(((10 * 3m) + (2000 * 6m) + (5 * 15m)) / 1_000_000m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task What_Claude_Code_sends_is_served_by_a_provider_of_chats()
    {
        var (client, _, service) = await CallerAsync(Chunks("Bon", "jour"), EndpointProtocol.OpenAi);

        var answer = await client.PostAsync("/v1/messages?beta=true", Body($$$"""
            {"model":"acme/{{{service.Name}}}","max_tokens":32000,"stream":true,"metadata":{"user_id":"user_1"},"thinking":{"type":"adaptive"},
             "context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"output_config":{"effort":"high"},
             "system":[{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
             "tools":[{"name":"Bash","description":"Runs.","input_schema":{"type":"object","properties":{"command":{"type":"string"} } },"eager_input_streaming":true}],
             "messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}
            """));

        Assert.Equal((HttpStatusCode.OK, "thinking, context_management"), (answer.StatusCode, answer.Headers.GetValues("x-marketplace-dropped").Single()));
        Assert.Equal("message_stop", Events(await answer.Content.ReadAsStringAsync())[^1].GetProperty("type").GetString());
        var sent = JsonElement.Parse(marketplace.Seen(answer).Call.Body);
        Assert.Equal(("high", false), (sent.GetProperty("reasoning_effort").GetString(), sent.TryGetProperty("thinking", out var _)));
    }

    [Fact]
    public async Task A_message_is_served_by_a_provider_of_chats()
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Chat("Bonjour", 20, 4, cachedTokens: 8), EndpointProtocol.OpenAi);

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":50,"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"""));

        var said = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(("message", "Bonjour", "end_turn"), (said.GetProperty("type").GetString(), said.GetProperty("content")[0].GetProperty("text").GetString(), said.GetProperty("stop_reason").GetString()));
        Assert.Equal((12, 8), (said.GetProperty("usage").GetProperty("input_tokens").GetInt64(), said.GetProperty("usage").GetProperty("cache_read_input_tokens").GetInt64()));
        Assert.Equal("/v1/chat/completions", marketplace.Seen(answer).Path);
        Assert.Equal(20, (await member.RecordAsync(answer.RequestId())).GetProperty("inputTokens").GetInt64());
    }

    [Fact]
    public async Task A_stream_of_messages_is_made_of_a_stream_of_chunks()
    {
        var (client, member, service) = await CallerAsync(Chunks("Bon", "jour"), EndpointProtocol.OpenAi);

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hi"}]}"""));

        var events = Events(await answer.Content.ReadAsStringAsync());
        Assert.Equal("message_start", events[0].GetProperty("type").GetString());
        Assert.Equal("message_stop", events[^1].GetProperty("type").GetString());
        Assert.Equal("Bonjour", string.Concat(events.Where(one => one.GetProperty("type").GetString() == "content_block_delta").Select(one => one.GetProperty("delta").GetProperty("text").GetString())));
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("completed", 20, 4, false), (record.GetProperty("outcome").GetString(), record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(20, record.GetProperty("providerUsage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task A_response_is_served_by_a_provider_of_chats_streamed_too()
    {
        var (client, _, service) = await CallerAsync(ProviderScripts.OneByOne(ProviderScripts.Chat("Whole", 3, 2), Chunks("In ", "parts")), EndpointProtocol.OpenAi);

        var whole = await (await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi"}"""))).Content.ReadFromJsonAsync<JsonElement>();
        var events = Events(await (await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}"""))).Content.ReadAsStringAsync());

        Assert.Equal("Whole", whole.GetProperty("output")[0].GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal("response.created", events[0].GetProperty("type").GetString());
        Assert.Equal("response.completed", events[^1].GetProperty("type").GetString());
        Assert.Equal(Enumerable.Range(0, events.Count).Select(number => (long)number), events.Select(one => one.GetProperty("sequence_number").GetInt64()));
    }

    [Fact]
    public async Task A_cut_stream_ends_with_an_error_in_the_callers_protocol()
    {
        var (script, arrived) = SurfaceMarket.CutAfter(ProviderScripts.Chunk("Bon"));
        var (client, member, service) = await CallerAsync(script, EndpointProtocol.OpenAi);

        var requestId = Guid.Empty;
        var text = await client.ReadStreamAsync(
            "/v1/messages", $$"""{"model":"acme/{{service.Name}}","max_tokens":50,"stream":true,"messages":[{"role":"user","content":"Hi"}]}""", arrived, answer => requestId = answer.RequestId());

        Assert.Equal("error", Events(text)[^1].GetProperty("type").GetString());
        Assert.DoesNotContain("message_stop", text, StringComparison.Ordinal);
        Assert.Equal("cut", (await member.RecordAsync(requestId)).GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Whom_a_message_is_for_is_kept_with_its_record_where_the_provider_knows_no_end_users()
    {
        const string Answer = """{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}""";
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, Answer), EndpointProtocol.Gemini);
        var user = $"user_{Guid.CreateVersion7():n}_account__session_{Guid.CreateVersion7()}";

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":50,"metadata":{"user_id":"{{user}}"},"messages":[{"role":"user","content":"Hi"}]}"""));

        Assert.Equal((HttpStatusCode.OK, "metadata.user_id"), (answer.StatusCode, answer.Headers.GetValues("x-marketplace-dropped").Single()));
        Assert.DoesNotContain(user, Assert.Single(marketplace.Provider.Calls, call => call.Headers["x-request-id"] == answer.RequestId().ToString()).Body, StringComparison.Ordinal);
        Assert.Equal(user, (await member.RecordAsync(answer.RequestId())).GetProperty("endUser").GetString());
    }

    [Fact]
    public async Task What_cannot_be_translated_is_refused_by_name_or_left_out_when_the_caller_says_so()
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, Message), EndpointProtocol.Anthropic);
        var body = $$"""{"model":"acme/{{service.Name}}","logit_bias":{"50256":-100},"messages":[{"role":"user","content":"Hi"}]}""";

        var refused = await client.PostAsync("/v1/chat/completions", Body(body));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Body(body), Headers = { { "x-marketplace-drop-unsupported", "true" } } };
        var dropped = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        var error = (await refused.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(("unsupported_parameter", "logit_bias"), (error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.Equal(HttpStatusCode.OK, dropped.StatusCode);
        Assert.Equal("logit_bias", dropped.Headers.GetValues("x-marketplace-dropped").Single());
        Assert.Equal(1, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public async Task A_refusal_of_the_provider_is_told_in_the_callers_protocol()
    {
        var (client, _, service) = await CallerAsync(
            ProviderScripts.Json(400, """{"type":"error","error":{"type":"invalid_request_error","message":"messages: roles must alternate"}}"""), EndpointProtocol.Anthropic);

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[{"role":"user","content":"Hi"}]}"""));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(("invalid_request_error", "messages: roles must alternate"), (error.GetProperty("type").GetString(), error.GetProperty("message").GetString()));
    }

    private async Task<(HttpClient Client, Member Member, ListingChanged Service)> CallerAsync(Func<ReceivedCall, Task> script, EndpointProtocol protocol, ServicePricing? pricing = null)
    {
        var service = await marketplace.AddServiceAsync(script, pricing ?? Pricing, protocol);
        var member = await marketplace.AddOrganisationAsync();
        return ((await member.CreateKeyAsync()).Client(), member, service);
    }

    /// <summary>A stream as OpenAI sends it, with the chunk that says why it ends.</summary>
    private static Func<ReceivedCall, Task> Chunks(params string[] pieces) => async call =>
    {
        await ProviderScripts.BeginStreamAsync(call);
        foreach (var piece in pieces)
        {
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk(piece));
        }

        await ProviderScripts.SendAsync(call, """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\n");
        await ProviderScripts.SendAsync(call, ProviderScripts.UsageChunk(20, 4));
        await ProviderScripts.SendAsync(call, "data: [DONE]\n\n");
    };

    private static StringContent Body(string json) => new(json, Encoding.UTF8, "application/json");

    private static List<JsonElement> Events(string stream) =>
        [.. stream.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => JsonElement.Parse(line["data: ".Length..]))];
}
