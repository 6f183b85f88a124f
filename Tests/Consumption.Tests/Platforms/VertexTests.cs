using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>Gemini's and Anthropic's models at Vertex AI, with the tokens of a service account.</summary>
public sealed class VertexTests(Marketplace marketplace)
{
    private const string GeminiAnswer = """{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":20,"totalTokenCount":120}}""";
    private const string Message = """{"id":"msg_vrtx_1","type":"message","role":"assistant","model":"claude-sonnet-4","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":60,"cache_read_input_tokens":40,"output_tokens":20}}""";
    private const decimal GeminiCost = ((100 * 3m) + (20 * 15m)) / 1_000_000m;
    private const decimal ClaudeCost = ((60 * 3m) + (40 * 0.3m) + (20 * 15m)) / 1_000_000m;

    [Fact]
    public async Task Gemini_at_Vertex_is_called_with_a_token_of_the_service_account_that_calls_share()
    {
        var account = new GoogleAccount();
        using var shop = await GeminiAsync(account, ProviderScripts.Json(200, GeminiAnswer));

        var answer = await shop.ChatAsync();

        Assert.Equal("Hello", (await answer.JsonAsync()).GetProperty("choices")[0].GetProperty("message").Text("content"));
        Assert.Equal("/publishers/google/models/gemini-2.5-pro:generateContent", shop.Target);
        Assert.False(shop.Seen[0].Headers.ContainsKey("x-goog-api-key"));
        Assert.Equal(GeminiCost, await shop.CostAsync(answer));
        await shop.ChatAsync();
        Assert.Equal((2, 1), (shop.Seen.Count, account.Issued));
    }

    [Fact]
    public async Task Gemini_at_Vertex_streams()
    {
        var account = new GoogleAccount();
        using var shop = await GeminiAsync(account, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, $"data: {GeminiAnswer}\r\n\r\n");
        });

        var answer = await shop.ChatAsync(Shop.Hello + ",\"stream\":true");

        Assert.EndsWith("data: [DONE]\n\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse", shop.Target);
        Assert.Equal(GeminiCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task A_message_to_Claude_at_Vertex_passes_through_but_for_the_model_and_the_platforms_version()
    {
        var account = new GoogleAccount();
        using var shop = await ClaudeAsync(account, ProviderScripts.Json(200, Message));

        var answer = await shop.MessagesAsync("\"anthropic_version\":\"2023-06-01\",\"messages\": [ {\"role\":\"user\",\"content\":\"hi \\u00e9\"} ],\"unknown\":{\"a\":1}", betas: "context-1m-2025-08-07");

        Assert.Equal(Message, await answer.Content.ReadAsStringAsync());
        Assert.Equal("/publishers/anthropic/models/claude-sonnet-4@20250514:rawPredict", shop.Target);
        Assert.Equal("{\"anthropic_version\":\"vertex-2023-10-16\",\"max_tokens\":1000,\"messages\": [ {\"role\":\"user\",\"content\":\"hi \\u00e9\"} ],\"unknown\":{\"a\":1}}", shop.Seen[0].Body);
        Assert.Equal("context-1m-2025-08-07", shop.Seen[0].Headers["anthropic-beta"]);
        Assert.Equal(ClaudeCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task A_chat_with_Claude_at_Vertex_is_translated_and_streams()
    {
        var account = new GoogleAccount();
        using var shop = await ClaudeAsync(account, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, PlatformEvents.AsSse(PlatformEvents.Messages("Hello")));
        });

        var answer = await shop.ChatAsync(Shop.Hello + ",\"stream\":true");

        Assert.EndsWith("data: [DONE]\n\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict", shop.Target);
        var sent = JsonElement.Parse(shop.Seen[0].Body);
        Assert.Equal(("vertex-2023-10-16", true), (sent.Text("anthropic_version"), sent.GetProperty("stream").GetBoolean()));
        Assert.False(sent.TryGetProperty("model", out _));
        Assert.Equal(ClaudeCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task Tokens_of_a_message_are_counted_at_Vertex_where_the_model_stands_in_the_body()
    {
        var account = new GoogleAccount();
        using var shop = await ClaudeAsync(account, ProviderScripts.Json(200, """{"input_tokens":7}"""));

        var answer = await shop.Client.PostJsonAsync("/v1/messages/count_tokens", $$"""{"model":"{{shop.Model}}",{{Shop.Hello}}}""");

        Assert.Equal("""{"input_tokens":7}""", await answer.Content.ReadAsStringAsync());
        Assert.Equal("/publishers/anthropic/models/count-tokens:rawPredict", shop.Target);
        Assert.Equal("claude-sonnet-4@20250514", JsonElement.Parse(shop.Seen[0].Body).Text("model"));
    }

    [Theory]
    [InlineData("""{"type":"error","error":{"type":"invalid_request_error","message":"Too long."},"request_id":"r1"}""", """{"type":"error","error":{"type":"invalid_request_error","message":"Too long."},"request_id":"r1"}""")]
    [InlineData("""[{"error":{"code":400,"message":"Bad.","status":"INVALID_ARGUMENT"}}]""", """{"type":"error","error":{"type":"invalid_request_error","message":"Bad."}}""")]
    public async Task What_is_refused_at_Vertex_is_told_in_Anthropics_shape_whoever_said_it(string said, string told)
    {
        var account = new GoogleAccount();
        using var shop = await ClaudeAsync(account, ProviderScripts.Json(400, said));

        var answer = await shop.MessagesAsync(Shop.Hello);

        Assert.Equal((400, told), ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        Assert.Equal(0m, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task Models_behind_Vertexs_address_for_OpenAIs_clients_get_a_token_too()
    {
        var account = new GoogleAccount();
        using var shop = await OpenAsync(account, "meta/llama", account.Secret, ProviderScripts.Chat("Hello", 3, 2), EndpointProtocol.OpenAi);

        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
        Assert.Equal("/chat/completions", shop.Target);
    }

    [Fact]
    public async Task A_token_is_fetched_anew_before_it_runs_out_and_when_it_is_not_taken()
    {
        var brief = new GoogleAccount(lifetime: 30);
        using var shop = await GeminiAsync(brief, ProviderScripts.Json(200, GeminiAnswer));
        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
        Assert.Equal(2, brief.Issued);

        var account = new GoogleAccount();
        using var other = await GeminiAsync(account, ProviderScripts.OneByOne(ProviderScripts.Json(401, "{}"), ProviderScripts.Json(200, GeminiAnswer)));
        Assert.Equal("provider_misconfigured", await (await other.ChatAsync()).ErrorCodeAsync());
        Assert.Equal(200, (int)(await other.ChatAsync()).StatusCode);
        Assert.Equal(2, account.Issued);
    }

    [Fact]
    public async Task An_account_that_gets_no_token_is_told_so_costs_nothing_and_closes_the_address()
    {
        var account = new GoogleAccount { Refusal = "invalid_grant" };
        using var shop = await GeminiAsync(account, ProviderScripts.Json(200, GeminiAnswer));

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_misconfigured", null), await answer.ErrorAsync());
        Assert.Contains("no access token: invalid_grant", (await answer.JsonAsync()).GetProperty("error").Text("message"), StringComparison.Ordinal);
        Assert.Empty(shop.Seen);
        var record = await shop.Member.RecordAsync(answer.RequestId());
        Assert.Equal(("failed", 0m, "credential"), (record.Text("outcome"), record.GetProperty("cost").GetDecimal(), Assert.Single(record.GetProperty("attempts").EnumerateArray()).Text("error")));
        for (var call = 2; call <= 5; call++)
        {
            Assert.Equal("provider_misconfigured", await (await shop.ChatAsync()).ErrorCodeAsync());
        }

        Assert.Equal("provider_unavailable", await (await shop.ChatAsync()).ErrorCodeAsync());
    }

    [Fact]
    public async Task A_token_server_that_is_away_is_asked_again_and_then_the_provider_is_unavailable()
    {
        var account = new GoogleAccount();
        using var shop = await OpenAsync(account, "gemini-2.5-pro", _ => account.Key("http://down.local/token"), ProviderScripts.Json(200, GeminiAnswer));

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(503, "provider_error", "provider_unavailable", null), await answer.ErrorAsync());
        var record = await shop.Member.RecordAsync(answer.RequestId());
        Assert.Equal(["token", "token", "token"], record.GetProperty("attempts").EnumerateArray().Select(attempt => attempt.Text("error")));
        Assert.Equal(0m, record.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("https://tokens.example.com/token")]
    [InlineData("http://oauth2.googleapis.com/token")]
    [InlineData("http://169.254.169.254/token")]
    [InlineData("http://unknown.local/token")]
    public async Task Tokens_are_fetched_from_Google_alone_and_from_whom_the_operator_named(string tokens)
    {
        var account = new GoogleAccount();
        using var shop = await OpenAsync(account, "gemini-2.5-pro", _ => account.Key(tokens), ProviderScripts.Json(200, GeminiAnswer));

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_misconfigured", null), await answer.ErrorAsync());
        Assert.Contains("not Google's", (await answer.JsonAsync()).GetProperty("error").Text("message"), StringComparison.Ordinal);
    }

    private Task<PlatformShop> GeminiAsync(GoogleAccount account, Func<ReceivedCall, Task> answer) => OpenAsync(account, "gemini-2.5-pro", account.Secret, answer);

    private Task<PlatformShop> ClaudeAsync(GoogleAccount account, Func<ReceivedCall, Task> answer) => OpenAsync(account, "claude-sonnet-4@20250514", account.Secret, answer);

    private Task<PlatformShop> OpenAsync(GoogleAccount account, string model, Func<string, string> secret, Func<ReceivedCall, Task> answer, EndpointProtocol protocol = EndpointProtocol.Vertex) =>
        PlatformMarket.OpenAsync(marketplace, protocol, EndpointAuthentication.GoogleServiceAccount, model, secret, account.Takes(answer), beside: account.GiveAsync);
}
