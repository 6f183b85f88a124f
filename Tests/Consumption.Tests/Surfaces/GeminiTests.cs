using System.ClientModel;
using System.Net;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using OpenAI;
using OpenAI.Chat;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

/// <summary>OpenAI's client, unchanged, served by a Gemini provider.</summary>
public sealed class GeminiTests(Marketplace marketplace)
{
    private const string Usage = "\"usageMetadata\":{\"promptTokenCount\":100,\"cachedContentTokenCount\":40,\"candidatesTokenCount\":20,\"thoughtsTokenCount\":30,\"totalTokenCount\":150}";
    private static readonly ServicePricing Pricing = Prices.PerMillionTokens(3m, 15m, 0.3m);
    private static readonly decimal Cost = ((60 * 3m) + (40 * 0.3m) + (50 * 15m)) / 1_000_000m;
    private static readonly ChatTool Weather = ChatTool.CreateFunctionTool("weather", "The weather of a city.", BinaryData.FromString("""{"type":"object","properties":{"city":{"type":"string"}}}"""));

    [Fact]
    public async Task A_chat_is_served_by_Gemini_and_charged_with_its_cached_tokens_and_thoughts()
    {
        var (client, member, service) = await CallerAsync(ProviderScripts.Json(200, Answer("""{"text":"Hello"}""", "STOP")));

        var answer = await client.CompleteChatAsync([ChatMessage.CreateSystemMessage("Be brief."), ChatMessage.CreateUserMessage("Hi")]);

        Assert.Equal(("Hello", ChatFinishReason.Stop), (answer.Value.Content[0].Text, answer.Value.FinishReason));
        Assert.Equal((100, 40, 50, 30), (answer.Value.Usage.InputTokenCount, answer.Value.Usage.InputTokenDetails.CachedTokenCount, answer.Value.Usage.OutputTokenCount, answer.Value.Usage.OutputTokenDetails.ReasoningTokenCount));
        var seen = marketplace.Provider.Calls.Single(call => call.Headers["x-request-id"] == RequestId(answer).ToString());
        Assert.EndsWith("/v1/models/scripted-model:generateContent", seen.Path, StringComparison.Ordinal);
        Assert.Equal(Marketplace.Credential, seen.Headers["x-goog-api-key"]);
        Assert.False(seen.Headers.ContainsKey("authorization"));
        Assert.Equal("""{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"systemInstruction":{"parts":[{"text":"Be brief."}]},"generationConfig":{"maxOutputTokens":1000}}""", seen.Body);
        var record = await member.RecordAsync(RequestId(answer));
        Assert.Equal(("chat.completions", "completed", Cost), (record.Text("operation"), record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Contains("thoughtsTokenCount", record.GetProperty("providerUsage").GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tools_are_called_and_answered_in_two_turns()
    {
        var (client, _, service) = await CallerAsync(ProviderScripts.OneByOne(
            ProviderScripts.Json(200, Answer("""{"functionCall":{"name":"weather","args":{"city":"Bern"}}},{"functionCall":{"name":"weather","args":{"city":"Rome"}}}""", "STOP")),
            ProviderScripts.Json(200, Answer("""{"text":"Rain and sun."}""", "STOP"))));
        List<ChatMessage> messages = [ChatMessage.CreateUserMessage("Weather in Bern and Rome?")];
        var options = new ChatCompletionOptions { Tools = { Weather } };

        var first = await client.CompleteChatAsync(messages, options);
        messages.Add(ChatMessage.CreateAssistantMessage(first.Value));
        messages.AddRange(first.Value.ToolCalls.Select(call => ChatMessage.CreateToolMessage(call.Id, "sun in " + JsonElement.Parse(call.FunctionArguments).Text("city"))));
        var second = await client.CompleteChatAsync(messages, options);

        Assert.Equal(ChatFinishReason.ToolCalls, first.Value.FinishReason);
        Assert.Equal(2, first.Value.ToolCalls.Select(call => call.Id).Distinct().Count());
        Assert.Equal("Rain and sun.", second.Value.Content[0].Text);
        var sent = JsonElement.Parse(marketplace.Provider.Calls.Single(call => call.Headers["x-request-id"] == RequestId(second).ToString()).Body).GetProperty("contents");
        Assert.Equal(["user", "model", "user"], sent.EnumerateArray().Select(content => content.Text("role")));
        Assert.Equal(["sun in Bern", "sun in Rome"], sent[2].GetProperty("parts").EnumerateArray().Select(part => part.GetProperty("functionResponse").GetProperty("response").Text("output")));
    }

    [Fact]
    public async Task A_stream_of_Geminis_ends_with_its_reason_and_usage()
    {
        var (client, member, service) = await CallerAsync(Stream(Chunk("Hel"), Chunk("lo", "STOP")));

        var updates = new List<StreamingChatCompletionUpdate>();
        await foreach (var update in client.CompleteChatStreamingAsync([ChatMessage.CreateUserMessage("Hi")]))
        {
            updates.Add(update);
        }

        Assert.Equal("Hello", string.Concat(updates.SelectMany(update => update.ContentUpdate).Select(part => part.Text)));
        Assert.Equal(ChatFinishReason.Stop, updates.Select(update => update.FinishReason).Single(reason => reason is not null));
        Assert.Equal(50, updates[^1].Usage.OutputTokenCount);
        var seen = marketplace.Provider.Calls.Last(call => call.Body.Contains("\"Hi\"", StringComparison.Ordinal) && call.Path.EndsWith(":streamGenerateContent", StringComparison.Ordinal));
        Assert.Equal("?alt=sse", seen.Query);
        var record = await member.RecordAsync(Guid.Parse(seen.Headers["x-request-id"]));
        Assert.Contains("thoughtsTokenCount", record.GetProperty("providerUsage").GetRawText(), StringComparison.Ordinal);
        Assert.Equal(Cost, (await member.UsageAsync()).GetProperty("total").GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_stream_that_ends_without_a_reason_is_cut_and_ends_with_an_error()
    {
        var (_, member, service) = await CallerAsync(Stream(Chunk("Hello, hello")));
        using var http = (await member.CreateKeyAsync()).Client();

        var answer = await http.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{service.Name}}","stream":true,{{Shop.Hello}}}""");

        var text = await answer.Content.ReadAsStringAsync();
        Assert.Contains("\"code\":\"provider_error\"", text.TrimEnd('\n').Split("\n\n")[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        Assert.Equal("cut", (await member.RecordAsync(answer.RequestId())).Text("outcome"));
    }

    [Fact]
    public async Task Structured_output_keeps_to_the_callers_schema()
    {
        var (client, _, _) = await CallerAsync(ProviderScripts.Json(200, Answer("""{"text":"{\"city\":\"Bern\"}"}""", "STOP")));
        var options = new ChatCompletionOptions { ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("answer", BinaryData.FromString("""{"type":"object"}"""), jsonSchemaIsStrict: true) };

        var answer = await client.CompleteChatAsync([ChatMessage.CreateUserMessage("Where?")], options);

        Assert.Equal("""{"city":"Bern"}""", answer.Value.Content[0].Text);
        var config = JsonElement.Parse(marketplace.Provider.Calls.Single(call => call.Headers["x-request-id"] == RequestId(answer).ToString()).Body).GetProperty("generationConfig");
        Assert.Equal(("application/json", """{"type":"object"}"""), (config.Text("responseMimeType"), config.GetProperty("responseJsonSchema").GetRawText()));
    }

    [Fact]
    public async Task What_Gemini_refuses_is_told_in_the_callers_protocol_and_costs_nothing()
    {
        var (_, member, service) = await CallerAsync(ProviderScripts.Json(400, """{"error":{"code":400,"message":"Bad schema.","status":"INVALID_ARGUMENT","details":[]}}"""));
        using var http = (await member.CreateKeyAsync()).Client();

        var answer = await http.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{service.Name}}",{{Shop.Hello}}}""");

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "INVALID_ARGUMENT", null), await answer.ErrorAsync());
        Assert.Equal(0m, (await member.RecordAsync(answer.RequestId())).GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_key_that_Google_does_not_know_is_the_providers_to_mend()
    {
        var (_, member, service) = await CallerAsync(ProviderScripts.Json(400, """{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"""));
        using var http = (await member.CreateKeyAsync()).Client();

        var answer = await http.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{service.Name}}",{{Shop.Hello}}}""");

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_misconfigured", null), await answer.ErrorAsync());
    }

    [Fact]
    public async Task What_cannot_be_said_to_Gemini_is_refused_by_name()
    {
        var (_, member, service) = await CallerAsync(ProviderScripts.Fail(500));
        using var http = (await member.CreateKeyAsync()).Client();

        var answer = await http.PostJsonAsync("/v1/chat/completions", $$"""{"model":"acme/{{service.Name}}","logit_bias":{"1":1},{{Shop.Hello}}}""");

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_parameter", "logit_bias"), await answer.ErrorAsync());
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    private static string Answer(string parts, string reason) => $$$"""{"candidates":[{"content":{"role":"model","parts":[{{{parts}}}]},"finishReason":"{{{reason}}}","index":0}],{{{Usage}}}}""";

    private static string Chunk(string text, string? reason = null) =>
        "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"" + text + "\"}]}" + (reason is null ? "}]}" : ",\"finishReason\":\"" + reason + "\"}]," + Usage + "}") + "\r\n\r\n";

    private static Func<ReceivedCall, Task> Stream(params string[] events) => async call =>
    {
        await ProviderScripts.BeginStreamAsync(call);
        foreach (var one in events)
        {
            await ProviderScripts.SendAsync(call, one);
        }
    };

    private static Guid RequestId<T>(ClientResult<T> result) => Guid.Parse(result.GetRawResponse().Headers.TryGetValue("x-request-id", out var id) ? id! : "");

    private async Task<(ChatClient Client, Member Member, ListingChanged Service)> CallerAsync(Func<ReceivedCall, Task> script)
    {
        var service = await marketplace.AddServiceAsync(script, Pricing, EndpointProtocol.Gemini);
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync();
        using var http = key.Client();
        return (new ChatClient($"acme/{service.Name}", new ApiKeyCredential(key.Text), new OpenAIClientOptions { Endpoint = new Uri(http.BaseAddress!, "v1") }), member, service);
    }
}
