using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>OpenAI's other surfaces, passed through to providers that serve them.</summary>
public sealed class OpenAiSurfacesTests(Marketplace marketplace)
{
    private static readonly ServicePricing Pricing = Prices.PerMillionTokens(2m, 8m, 0.5m);
    private const string FlatError = "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"scripted\",\"param\":null,\"sequence_number\":1}\n\n";


    private static readonly ServicePricing WithSearches =
        new(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 3m, 15m, null) { Tools = new Dictionary<string, decimal> { ["web_search"] = 0.01m } }]);

    [Fact]
    public async Task A_response_is_charged_with_its_reasoning_and_cached_tokens()
    {
        var script = ProviderScripts.Json(200, """
            {"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],
             "usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":30,"output_tokens_details":{"reasoning_tokens":10},"total_tokens":130}}
            """);
        var pricing = new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 2m, 8m, 0.5m) { Reasoning = 16m }]);
        var (client, member, service) = await CallerAsync(script, pricing, [ServiceSurfaces.Responses]);

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi"}"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("""{"max_output_tokens":1000,"model":"scripted-model","input":"Hi"}""", marketplace.Seen(answer).Call.Body);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(((60 * 2m) + (40 * 0.5m) + (20 * 8m) + (10 * 16m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_stream_of_response_events_ends_with_completed_and_its_usage_is_charged()
    {
        const string events = """
            event: response.created
            data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","error":null,"usage":null}}

            event: response.output_text.delta
            data: {"type":"response.output_text.delta","sequence_number":1,"delta":"Hello"}

            event: response.completed
            data: {"type":"response.completed","sequence_number":2,"response":{"id":"resp_1","status":"completed","error":null,"output":[{"content":[{"text":"Hello"}]}],"usage":{"input_tokens":9,"output_tokens":4}}}


            """;
        Func<ReceivedCall, Task> script = async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, events);
        };
        var (client, member, service) = await CallerAsync(script, Pricing, [ServiceSurfaces.Responses]);

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}"""));

        Assert.Equal(events, await answer.Content.ReadAsStringAsync());
        Assert.DoesNotContain("stream_options", marketplace.Seen(answer).Call.Body, StringComparison.Ordinal);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal(("completed", 9, 4), (record.GetProperty("outcome").GetString(), record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
    }

    [Fact]
    public async Task A_cut_stream_of_response_events_ends_with_an_error_event_in_sequence()
    {
        var (script, arrived) = SurfaceMarket.CutAfter("data: {\"type\":\"response.output_text.delta\",\"sequence_number\":7,\"delta\":\"Hello, hello\"}\n\n");
        var (client, member, service) = await CallerAsync(script, Pricing, [ServiceSurfaces.Responses]);

        var requestId = Guid.Empty;
        var text = await client.ReadStreamAsync("/v1/responses", $$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}""", arrived, answer => requestId = answer.RequestId());

        var last = text.TrimEnd('\n').Split("\n\n")[^1];
        var error = JsonElement.Parse(last["event: error\ndata: ".Length..]);
        Assert.Equal(("error", 8), (error.GetProperty("type").GetString(), error.GetProperty("sequence_number").GetInt64()));
        var record = await member.RecordAsync(requestId);
        Assert.Equal(("cut", true, 3), (record.GetProperty("outcome").GetString(), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("outputTokens").GetInt64()));
    }

    [Fact]
    public async Task A_response_whose_first_event_is_a_flat_error_is_a_failed_call()
    {
        var (client, member, service) = await CallerAsync(SurfaceMarket.Streaming(FlatError), Pricing, [ServiceSurfaces.Responses]);

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}"""));

        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal("failed", (await member.RecordAsync(answer.RequestId())).GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task A_flat_error_is_the_last_event_of_a_stream()
    {
        const string delta = "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":0,\"delta\":\"Hello\"}\n\n";
        var (client, member, service) = await CallerAsync(SurfaceMarket.Streaming(delta + FlatError), Pricing, [ServiceSurfaces.Responses]);

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":true}"""));

        Assert.Equal(delta + FlatError, await answer.Content.ReadAsStringAsync());
        Assert.Equal("cut", (await member.RecordAsync(answer.RequestId())).GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Images_are_charged_one_by_one_and_reserved_by_n()
    {
        var script = ProviderScripts.Json(200, """{"created":1,"data":[{"b64_json":"AAAA"},{"b64_json":"BBBB"}]}""");
        var pricing = new ServicePricing(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", 0m, null, null) { Image = 0.04m }]);
        var (client, member, service) = await CallerAsync(script, pricing, null, "image-generation");
        await member.SetBudgetAsync(0.10m);

        var tooMany = await client.PostAsync("/v1/images/generations", Body($$"""{"model":"acme/{{service.Name}}","prompt":"A cat","n":3}"""));
        var answer = await client.PostAsync("/v1/images/generations", Body($$"""{"model":"acme/{{service.Name}}","prompt":"A cat","n":2}"""));

        Assert.Equal(HttpStatusCode.TooManyRequests, tooMany.StatusCode);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(0.08m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData(ServiceSurfaces.Completions, "/v1/completions", "\"prompt\":\"Once upon a time\"")]
    [InlineData(ServiceSurfaces.Moderations, "/v1/moderations", "\"input\":\"a text\"")]
    [InlineData(ServiceSurfaces.Rerank, "/v1/rerank", "\"query\":\"a text\",\"documents\":[\"one\",\"two\"]")]
    public async Task A_surface_reaches_the_provider_under_its_own_path(string surface, string path, string members)
    {
        var script = ProviderScripts.Json(200, """{"results":[],"usage":{"prompt_tokens":5,"total_tokens":5}}""");
        var (client, member, service) = await CallerAsync(script, Pricing, [surface]);

        var answer = await client.PostAsync(path, Body($$"""{"model":"acme/{{service.Name}}",{{members}}}"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(path, marketplace.Seen(answer).Path);
        var record = await member.RecordAsync(answer.RequestId());
        Assert.Equal((surface, 5), (record.GetProperty("operation").GetString(), record.GetProperty("inputTokens").GetInt64()));
    }

    [Theory]
    [InlineData(ServiceSurfaces.Embeddings, "/v1/embeddings", "\"input\":\"a text\"")]
    [InlineData(ServiceSurfaces.Rerank, "/v1/rerank", "\"query\":\"a text\",\"documents\":[\"one\",\"two\"]")]
    public async Task Where_nothing_is_produced_a_total_is_the_input(string surface, string path, string members)
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, """{"data":[],"results":[],"usage":{"total_tokens":700}}"""), Pricing, [surface]);

        var record = await member.RecordAsync((await client.PostAsync(path, Body($$"""{"model":"acme/{{service.Name}}",{{members}}}"""))).RequestId());

        Assert.Equal((700, 0, false), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(700 * 2m / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("\"prompt_tokens\":1000,\"completion_tokens\":20,\"prompt_cache_hit_tokens\":600,\"prompt_cache_miss_tokens\":400", 600)]
    [InlineData("\"prompt_tokens\":1000,\"completion_tokens\":20,\"total_tokens\":1020,\"cached_tokens\":600", 600)]
    [InlineData("\"prompt_tokens\":1000,\"completion_tokens\":20,\"prompt_cache_hit_tokens\":600,\"prompt_tokens_details\":{\"cached_tokens\":600}", 600)]
    [InlineData("\"prompt_tokens\":1000,\"total_tokens\":1020", 0)]
    [InlineData("\"completion_tokens\":20,\"total_tokens\":1020", 0)]
    public async Task The_same_usage_costs_the_same_whatever_its_provider_calls_it(string usage, int cached)
    {
        var script = ProviderScripts.Json(200, $$"""{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{ {{usage}} } }""");
        var (client, member, service) = await CallerAsync(script, Prices.PerMillionTokens(2m, 10m, 0.5m), [ServiceSurfaces.ChatCompletions]);

        var record = await member.RecordAsync((await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[]}"""))).RequestId());

        Assert.Equal((1_000, cached, 20), (record.GetProperty("inputTokens").GetInt32(), record.GetProperty("cachedInputTokens").GetInt32(), record.GetProperty("outputTokens").GetInt32()));
        Assert.Equal((((1_000 - cached) * 2m) + (cached * 0.5m) + (20 * 10m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Azure_is_given_its_key_and_version()
    {
        var script = ProviderScripts.Chat("Hello", 3, 2);
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.AzureOpenAi, apiVersion: "2024-10-21");
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[]}"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var seen = marketplace.Seen(answer).Call;
        Assert.Equal(Marketplace.Credential, seen.Headers["api-key"]);
        Assert.False(seen.Headers.ContainsKey("authorization"));
        Assert.Contains("\"max_completion_tokens\":1000", seen.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_surface_that_the_service_does_not_serve_is_refused_with_those_it_does()
    {
        var (client, _, service) = await CallerAsync(ProviderScripts.Fail(500), Pricing, [ServiceSurfaces.Rerank]);

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[]}"""));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal("unsupported_operation", error.GetProperty("code").GetString());
        Assert.Contains("/v1/rerank", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/chat/completions", "\"service_tier\":\"priority\"", "service_tier")]
    [InlineData("/v1/responses", "\"background\":true", "background")]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"code_interpreter\",\"container\":{\"type\":\"auto\"}}]", "tools")]
    [InlineData("/v1/responses", "\"tools\":[{\"type\":\"function\",\"name\":\"f\"},{\"type\":\"web_search\"}]", "tools")]
    [InlineData("/v1/chat/completions", "\"modalities\":[\"text\",\"audio\"],\"audio\":{\"voice\":\"a\",\"format\":\"wav\"}", "modalities")]
    public async Task What_costs_apart_and_has_no_price_is_refused_by_name_before_anything_is_reserved(string path, string members, string param)
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Fail(500), Pricing, [ServiceSurfaces.Responses, ServiceSurfaces.ChatCompletions]);

        var answer = await client.PostAsync(path, Body($$"""{"model":"acme/{{service.Name}}",{{members}}}"""));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var error = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal(("not_priced", param), (error.GetProperty("code").GetString(), error.GetProperty("param").GetString()));
        Assert.Equal(0, (await member.UsageAsync()).GetProperty("total").GetProperty("calls").GetInt64());
    }

    [Fact]
    public async Task Each_prompt_of_a_completion_is_reserved_an_answer()
    {
        var script = ProviderScripts.Json(200, """{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":200,"total_tokens":205}}""");
        var pricing = new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1k-tokens", 0m, 1m, null)]);
        var (client, member, service) = await CallerAsync(script, pricing, [ServiceSurfaces.Completions]);
        await member.SetBudgetAsync(0.25m);

        var tooMany = await client.PostAsync("/v1/completions", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"prompt":["one","two","three"]}"""));
        var answer = await client.PostAsync("/v1/completions", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"prompt":["one","two"]}"""));

        Assert.Equal(HttpStatusCode.TooManyRequests, tooMany.StatusCode);
        Assert.Contains("at most 83 ", await tooMany.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Texts_that_are_embedded_at_once_are_not_bounded_by_one_context_window()
    {
        marketplace.Provider.Answer = ProviderScripts.Embedding(5_000);
        var service = await marketplace.AddServiceAsync(Prices.PerRequest(0m), "embeddings");
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync(new { name = "small", limits = new { tokensPerMinute = 9_000 } })).Client();
        var text = new string('x', 5_000);

        var answer = await client.PostAsync("/v1/embeddings", Body($$"""{"model":"acme/{{service.Name}}","input":["{{text}}","{{text}}"]}"""));

        Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(""","tools":[{"type":"function","function":{"name":"f"}}]""", false)]
    public async Task What_a_provider_says_to_its_model_about_tools_is_reserved(string tools, bool fits)
    {
        var service = await marketplace.AddServiceAsync(Pricing);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync(new { name = "small", limits = new { tokensPerMinute = 900 } })).Client();

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":100,"messages":[]{{tools}}}"""));

        Assert.Equal(fits ? HttpStatusCode.OK : HttpStatusCode.TooManyRequests, answer.StatusCode);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(null, 0.04)]
    [InlineData(4_000, null)]
    public async Task Images_that_cost_by_their_tokens_are_made_where_the_listing_says_how_many_those_can_be(int? most, double? image)
    {
        var script = ProviderScripts.Json(200, """{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":5,"output_tokens":4000,"total_tokens":4005}}""");
        var pricing = new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1k-tokens", 0m, 0.01m, null) { Image = (decimal?)image }]);
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.OpenAi, category: "image-generation", model: model => model with { MaxOutputTokens = most });
        var member = await marketplace.AddOrganisationAsync();
        await member.SetBudgetAsync(0.1m);
        using var client = (await member.CreateKeyAsync()).Client();

        var one = await client.PostAsync("/v1/images/generations", Body($$"""{"model":"acme/{{service.Name}}","prompt":"A cat"}"""));
        Assert.Equal(most is null ? HttpStatusCode.BadRequest : HttpStatusCode.OK, one.StatusCode);
        if (most is null)
        {
            Assert.Contains("not_priced", await one.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            return;
        }

        var second = await client.PostAsync("/v1/images/generations", Body($$"""{"model":"acme/{{service.Name}}","prompt":"A cat","n":2}"""));
        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
    }

    [Theory]
    [InlineData(8_192, HttpStatusCode.OK)]
    [InlineData(null, HttpStatusCode.BadRequest)]
    public async Task Tools_that_read_the_web_are_called_where_a_context_window_bounds_what_they_bring(int? window, HttpStatusCode status)
    {
        var script = ProviderScripts.Json(200, """{"id":"msg_1","type":"message","content":[],"usage":{"input_tokens":5000,"output_tokens":5}}""");
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Anthropic, model: model => model with { ContextWindow = window });
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":10,"messages":[],"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}]}"""));

        Assert.Equal(status, answer.StatusCode);
    }

    [Fact]
    public async Task Searches_with_a_price_are_charged_one_by_one()
    {
        var script = ProviderScripts.Json(200, """
            {"id":"msg_1","type":"message","content":[{"type":"text","text":"Found"}],"usage":{"input_tokens":10,"output_tokens":5,"server_tool_use":{"web_search_requests":2}}}
            """);
        var pricing = new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 3m, 15m, null) { Tools = new Dictionary<string, decimal> { ["web_search"] = 0.01m } }]);
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.Anthropic);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostAsync("/v1/messages", Body($$"""{"model":"acme/{{service.Name}}","max_tokens":10,"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]}"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal((((10 * 3m) + (5 * 15m)) / 1_000_000m) + 0.02m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Searches_of_a_response_are_charged_and_what_is_done_with_their_pages_is_not(bool stream)
    {
        string[] items =
        [
            """{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"a"}}""",
            """{"type":"web_search_call","id":"ws_2","status":"completed","action":{"type":"open_page","url":"https://example.com"}}""",
            """{"type":"web_search_call","id":"ws_3","status":"completed"}""",
            """{"type":"message","content":[{"type":"output_text","text":"web_search_call"}]}""",
        ];
        var whole = $$$"""{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{{{string.Join(',', items)}}}],"usage":{"input_tokens":10,"output_tokens":5}}""";
        var events = string.Concat(items.Select((item, at) =>
            $$"""data: {"type":"response.output_item.added","output_index":{{at}},"item":{{item}} }""" + "\n\n" + $$"""data: {"type":"response.output_item.done","output_index":{{at}},"item":{{item}} }""" + "\n\n"));
        var (client, member, service) = await CallerAsync(
            stream ? SurfaceMarket.Streaming(events + $$"""data: {"type":"response.completed","response":{{whole}} }""" + "\n\n") : ProviderScripts.Json(200, whole), WithSearches, [ServiceSurfaces.Responses]);

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","stream":{{(stream ? "true" : "false")}},"tools":[{"type":"web_search"}]}"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal((((10 * 3m) + (5 * 15m)) / 1_000_000m) + 0.02m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("", HttpStatusCode.TooManyRequests)] // Ten are reserved when the caller does not say.
    [InlineData(",\"max_tool_calls\":6", HttpStatusCode.TooManyRequests)]
    [InlineData(",\"max_tool_calls\":3", HttpStatusCode.OK)]
    public async Task As_many_searches_as_a_response_may_make_are_reserved(string most, HttpStatusCode status)
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, """{"id":"resp_1","object":"response","status":"completed","error":null,"output":[],"usage":{"input_tokens":10,"output_tokens":5}}"""), WithSearches, [ServiceSurfaces.Responses]);
        await member.SetBudgetAsync(0.06m); // Of which all that the model may read and write takes about 0.025.

        var answer = await client.PostAsync("/v1/responses", Body($$"""{"model":"acme/{{service.Name}}","input":"Hi","max_output_tokens":10,"tools":[{"type":"web_search"}]{{most}}}"""));

        Assert.Equal(status, answer.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_chat_that_searches_is_charged_one_search(bool stream)
    {
        var (client, member, service) = await CallerAsync(stream ? ProviderScripts.Stream(["Found"], 10, 5) : ProviderScripts.Chat("Found", 10, 5), WithSearches, [ServiceSurfaces.ChatCompletions]);

        var answer = await client.PostAsync("/v1/chat/completions", Body($$"""{"model":"acme/{{service.Name}}","messages":[],"stream":{{(stream ? "true" : "false")}},"web_search_options":{} }"""));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal((((10 * 3m) + (5 * 15m)) / 1_000_000m) + 0.01m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    private async Task<(HttpClient Client, Member Member, ListingChanged Service)> CallerAsync(Func<ReceivedCall, Task> script, ServicePricing pricing, IReadOnlyList<string>? surfaces, string category = "text-generation")
    {
        var service = await marketplace.AddServiceAsync(script, pricing, EndpointProtocol.OpenAi, surfaces, category: category);
        var member = await marketplace.AddOrganisationAsync();
        return ((await member.CreateKeyAsync()).Client(), member, service);
    }

    private static StringContent Body(string json) => new(json, Encoding.UTF8, "application/json");
}
