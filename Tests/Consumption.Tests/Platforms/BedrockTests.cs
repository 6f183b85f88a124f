using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>Bedrock's models: every one by Converse for Chat, Anthropic's by InvokeModel for Messages too; each request signed, each stream in Amazon's framing.</summary>
public sealed class BedrockTests(Marketplace marketplace)
{
    private const string Nova = "eu.amazon.nova-pro-v1:0";
    private const string Claude = "eu.anthropic.claude-sonnet-4-20250514-v1:0";
    private const string Usage = """{"inputTokens":60,"outputTokens":20,"totalTokens":150,"cacheReadInputTokens":40,"cacheWriteInputTokens":30,"cacheDetails":[{"ttl":"5m","inputTokens":20},{"ttl":"1h","inputTokens":10}]}""";
    private const string Said = $$$"""{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[{"text":"Hello"}]}},"stopReason":"end_turn","usage":{{{Usage}}} }""";
    private const string Message = """{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":60,"cache_read_input_tokens":40,"output_tokens":20}}""";
    private const decimal NovaCost = ((60 * 3m) + (40 * 0.3m) + (20 * 3.75m) + (10 * 6m) + (20 * 15m)) / 1_000_000m;
    private const decimal ClaudeCost = ((60 * 3m) + (40 * 0.3m) + (20 * 15m)) / 1_000_000m;
    private const string Streamed = Shop.Hello + ",\"stream\":true";

    [Fact]
    public async Task A_chat_is_served_by_Converse_signed_and_charged_with_what_the_cache_read_and_was_written()
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(200, Said));

        var answer = await shop.ChatAsync();

        Assert.Equal("Hello", (await answer.JsonAsync()).GetProperty("choices")[0].GetProperty("message").Text("content"));
        Assert.EndsWith("/model/eu.amazon.nova-pro-v1:0/converse", shop.Target, StringComparison.Ordinal);
        Assert.Equal("""{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":1000}}""", shop.Seen[0].Body);
        var record = await shop.Member.RecordAsync(answer.RequestId());
        Assert.Equal(("completed", NovaCost), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Contains("cacheDetails", record.GetProperty("providerUsage").GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2")]
    [InlineData("odd id+%25~ü")]
    public async Task An_id_with_slashes_and_other_signs_is_one_segment_and_signed_as_it_is_sent(string model)
    {
        using var shop = await OpenAsync(model, ProviderScripts.Json(200, Said), surfaces: [ServiceSurfaces.Converse]);

        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
    }

    [Fact]
    public async Task Temporary_credentials_sign_with_their_token()
    {
        var account = new AmazonAccount { SessionToken = "IQoJb3JpZ2luX2VjE/+==" };
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(200, Said), account: account);

        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
    }

    [Fact]
    public async Task A_key_that_does_not_fit_is_the_providers_to_mend()
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(200, Said), secret: AmazonAccount.WrongSecret);

        Assert.Equal(new OpenAiError(502, "provider_error", "provider_misconfigured", null), await (await shop.ChatAsync()).ErrorAsync());
    }

    [Fact]
    public async Task A_Bedrock_API_key_is_sent_as_it_is()
    {
        using var shop = await PlatformMarket.OpenAsync(marketplace, EndpointProtocol.Bedrock, EndpointAuthentication.ApiKey, Nova, _ => "ABSKexample", ProviderScripts.Json(200, Said));

        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
        Assert.Equal("Bearer ABSKexample", shop.Seen[0].Headers["authorization"]);
    }

    [Fact]
    public async Task A_stream_of_Converses_ends_with_its_reason_and_usage()
    {
        using var shop = await OpenAsync(Nova, Frames([.. Opening, PlatformEvents.Event("messageStop", """{"stopReason":"end_turn"}"""), PlatformEvents.Event("metadata", $$"""{"usage":{{Usage}} }""")]));

        var answer = await shop.ChatAsync(Streamed + ",\"stream_options\":{\"include_usage\":true}");

        var events = (await answer.Content.ReadAsStringAsync()).TrimEnd('\n').Split("\n\n");
        Assert.EndsWith("/converse-stream", shop.Target, StringComparison.Ordinal);
        Assert.Equal("data: [DONE]", events[^1]);
        Assert.Contains("\"completion_tokens\":20", events[^2], StringComparison.Ordinal);
        Assert.Contains("\"finish_reason\":\"stop\"", events[^3], StringComparison.Ordinal);
        Assert.Equal(NovaCost, await shop.CostAsync(answer));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_is_served_by_Converse_too_and_charged_with_what_was_written_to_the_cache(bool stream)
    {
        using var shop = await OpenAsync(Nova, stream ? Frames([.. Opening, PlatformEvents.Event("messageStop", """{"stopReason":"end_turn"}"""), PlatformEvents.Event("metadata", $$"""{"usage":{{Usage}} }""")]) : ProviderScripts.Json(200, Said));

        var answer = await shop.MessagesAsync(stream ? Streamed + ",\"max_tokens\":7" : Shop.Hello + ",\"max_tokens\":7");

        var text = await answer.Content.ReadAsStringAsync();
        Assert.Contains("\"usage\":{\"input_tokens\":60,\"cache_creation_input_tokens\":30,\"cache_read_input_tokens\":40,\"output_tokens\":20}", text, StringComparison.Ordinal);
        Assert.EndsWith(stream ? "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" : "}", text, StringComparison.Ordinal);
        Assert.Equal("""{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":7}}""", shop.Seen[0].Body);
        var record = await shop.Member.RecordAsync(answer.RequestId());
        Assert.Equal(("messages", "completed", NovaCost), (record.Text("operation"), record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Contains("cacheDetails", record.GetProperty("providerUsage").GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_that_has_Claude_think_is_served_by_Converse_and_what_it_thought_comes_signed(bool stream)
    {
        byte[][] events =
        [
            PlatformEvents.Event("messageStart", """{"role":"assistant"}"""),
            PlatformEvents.Event("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm."}}}"""),
            PlatformEvents.Event("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}"""),
            PlatformEvents.Event("contentBlockStop", """{"contentBlockIndex":0}"""),
            PlatformEvents.Event("contentBlockDelta", """{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"cmVk"}}}"""),
            PlatformEvents.Event("contentBlockStop", """{"contentBlockIndex":1}"""),
            PlatformEvents.Event("contentBlockDelta", """{"contentBlockIndex":2,"delta":{"text":"Hello"}}"""),
            PlatformEvents.Event("contentBlockStop", """{"contentBlockIndex":2}"""),
            PlatformEvents.Event("messageStop", """{"stopReason":"end_turn"}"""),
            PlatformEvents.Event("metadata", $$"""{"usage":{{Usage}} }"""),
        ];
        var thought = Said.Replace("[{", """[{"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"c2ln"}}},{"reasoningContent":{"redactedContent":"cmVk"}},{""", StringComparison.Ordinal);
        using var shop = await OpenAsync(Claude, stream ? Frames(events) : ProviderScripts.Json(200, thought), [ServiceSurfaces.Converse]);

        var answer = await shop.MessagesAsync((stream ? Streamed : Shop.Hello) + ",\"max_tokens\":4096,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}");

        var text = await answer.Content.ReadAsStringAsync();
        string[] blocks = stream
            ? ["\"thinking\":\"Hm.\"", "\"signature\":\"c2ln\"", "{\"type\":\"redacted_thinking\",\"data\":\"cmVk\"}", "\"text\":\"Hello\""]
            : ["[{\"type\":\"thinking\",\"thinking\":\"Hm.\",\"signature\":\"c2ln\"},{\"type\":\"redacted_thinking\",\"data\":\"cmVk\"},{\"type\":\"text\",\"text\":\"Hello\"}]"];
        Assert.All(blocks, block => Assert.Contains(block, text, StringComparison.Ordinal));
        Assert.Equal(
            """{"messages":[{"role":"user","content":[{"text":"hi"}]}],"inferenceConfig":{"maxTokens":4096},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}}""",
            shop.Seen[0].Body);
        Assert.Equal(NovaCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task Thinking_is_refused_by_name_where_Converse_serves_another_model()
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(200, Said));

        var answer = await shop.MessagesAsync(Shop.Hello + ",\"max_tokens\":4096,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}");

        Assert.Equal(400, (int)answer.StatusCode);
        Assert.Contains("`thinking`", (await answer.JsonAsync()).GetProperty("error").Text("message"), StringComparison.Ordinal);
        Assert.Empty(shop.Seen);
    }

    [Theory]
    [InlineData(Nova)]
    [InlineData(Claude)]
    public async Task A_response_is_served_by_Converse_and_by_Claude(string model)
    {
        using var shop = await OpenAsync(model, ProviderScripts.Json(200, model == Nova ? Said : Message));

        var answer = await shop.RespondAsync("\"input\":\"hi\"");

        Assert.Equal("Hello", (await answer.JsonAsync()).GetProperty("output")[0].GetProperty("content")[0].Text("text"));
        Assert.Equal(model == Nova ? NovaCost : ClaudeCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task What_Converse_cannot_be_told_is_refused_by_the_name_that_the_caller_gave_it_or_left_out_at_its_wish()
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(200, Said));
        const string Effort = "\"input\":\"hi\",\"reasoning\":{\"effort\":\"low\"}";

        Assert.Equal(new OpenAiError(400, "invalid_request_error", "unsupported_parameter", "reasoning.effort"), await (await shop.RespondAsync(Effort)).ErrorAsync());
        shop.Client.DefaultRequestHeaders.Add("x-marketplace-drop-unsupported", "true");
        var answer = await shop.RespondAsync(Effort);

        Assert.Equal((200, "reasoning.effort"), ((int)answer.StatusCode, answer.Headers.GetValues("x-marketplace-dropped").Single()));
    }

    [Fact]
    public async Task A_message_to_Claude_passes_through_InvokeModel_but_for_the_model_the_stream_and_the_platforms_version()
    {
        using var shop = await OpenAsync(Claude, ProviderScripts.Json(200, Message));

        var answer = await shop.MessagesAsync("\"messages\": [ {\"role\":\"user\",\"content\":\"hi \\u00e9\"} ],\"stream\":false,\"max_tokens\":5,\"unknown\":{\"a\":1}", betas: "one-2025-01-01, two-2025-01-01");

        Assert.Equal(Message, await answer.Content.ReadAsStringAsync());
        Assert.EndsWith($"/model/{Claude}/invoke", shop.Target, StringComparison.Ordinal);
        Assert.Equal(
            "{\"anthropic_version\":\"bedrock-2023-05-31\",\"anthropic_beta\":[\"one-2025-01-01\",\"two-2025-01-01\"],\"messages\": [ {\"role\":\"user\",\"content\":\"hi \\u00e9\"} ],\"max_tokens\":5,\"unknown\":{\"a\":1}}",
            shop.Seen[0].Body);
        Assert.Equal(ClaudeCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task A_stream_of_Claudes_comes_as_Anthropic_sends_it()
    {
        var events = PlatformEvents.Messages("Hello \u00e9");
        using var shop = await OpenAsync(Claude, Frames([.. events.Select(PlatformEvents.Chunk)]));

        var answer = await shop.MessagesAsync(Streamed);

        Assert.Equal(PlatformEvents.AsSse(events), await answer.Content.ReadAsStringAsync());
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        Assert.EndsWith("/invoke-with-response-stream", shop.Target, StringComparison.Ordinal);
        Assert.Equal(ClaudeCost, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task A_chat_with_Claude_is_translated_to_Messages_and_streams()
    {
        using var shop = await OpenAsync(Claude, Frames([.. PlatformEvents.Messages("Hello").Select(PlatformEvents.Chunk)]));

        var answer = await shop.ChatAsync(Streamed);

        Assert.EndsWith("data: [DONE]\n\n", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(["anthropic_version", "messages", "max_tokens"], JsonElement.Parse(shop.Seen[0].Body).EnumerateObject().Select(member => member.Name));
        Assert.Equal(ClaudeCost, await shop.CostAsync(answer));
    }

    [Theory]
    [InlineData("damaged")]
    [InlineData("cut")]
    [InlineData("without a reason")]
    public async Task A_stream_that_is_damaged_or_cut_ends_with_an_error_and_is_charged_for_what_came(string how)
    {
        var damaged = PlatformEvents.Event("contentBlockDelta", """{"delta":{"text":"?"}}""");
        damaged[^1] ^= 1;
        using var shop = await OpenAsync(Nova, Frames([.. Opening, how switch { "damaged" => damaged, "cut" => damaged[..20], _ => [] }]));

        var answer = await shop.ChatAsync(Streamed);

        var text = await answer.Content.ReadAsStringAsync();
        Assert.Contains("\"code\":\"provider_error\"", text.TrimEnd('\n').Split("\n\n")[^1], StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        var record = await shop.Member.RecordAsync(answer.RequestId());
        Assert.Equal(("cut", true), (record.Text("outcome"), record.GetProperty("cost").GetDecimal() > 0));
    }

    [Theory]
    [InlineData(Nova)]
    [InlineData(Claude)]
    public async Task What_fails_within_a_stream_is_its_last_event(string model)
    {
        var chunks = PlatformEvents.Messages("Hello").Take(3).Select(PlatformEvents.Chunk);
        using var shop = await OpenAsync(model, Frames([.. model == Nova ? Opening : chunks, PlatformEvents.Exception("throttlingException", "Too many tokens.")]));

        var answer = model == Nova ? await shop.ChatAsync(Streamed) : await shop.MessagesAsync(Streamed);

        var last = (await answer.Content.ReadAsStringAsync()).TrimEnd('\n').Split("\n\n")[^1];
        Assert.Contains("\"type\":\"rate_limit_error\"", last, StringComparison.Ordinal);
        Assert.Contains("Too many tokens.", last, StringComparison.Ordinal);
        Assert.Equal("cut", (await shop.Member.RecordAsync(answer.RequestId())).Text("outcome"));
    }

    [Theory]
    [InlineData(400, "ValidationException:http://internal.amazon.com/coral/", "max_tokens is too large.", 400, "invalid_request_error", "ValidationException")]
    [InlineData(400, "ValidationException", "The provided model identifier is invalid.", 502, "provider_error", "provider_misconfigured")]
    [InlineData(400, "ServiceQuotaExceededException", "No.", 429, "provider_error", "provider_rate_limited")]
    [InlineData(403, "AccessDeniedException", "No.", 502, "provider_error", "provider_misconfigured")]
    [InlineData(404, "ResourceNotFoundException", "No.", 502, "provider_error", "provider_misconfigured")]
    [InlineData(408, "ModelTimeoutException", "No.", 504, "provider_error", "provider_timeout")]
    [InlineData(424, "ModelErrorException", "No.", 502, "provider_error", "provider_error")]
    [InlineData(500, "InternalServerException", "No.", 502, "provider_error", "provider_error")]
    public async Task What_Bedrock_refuses_is_told_by_whose_it_is_to_mend_and_costs_nothing(int status, string kind, string message, int told, string type, string code)
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.Json(status, $$"""{"message":"{{message}}"}""", ("x-amzn-ErrorType", kind)));

        var answer = await shop.ChatAsync();

        Assert.Equal(new OpenAiError(told, type, code, null), await answer.ErrorAsync());
        Assert.Equal(0m, await shop.CostAsync(answer));
    }

    [Fact]
    public async Task What_Bedrock_refuses_is_told_to_callers_of_Messages_in_their_shape()
    {
        using var shop = await OpenAsync(Claude, ProviderScripts.Json(400, """{"message":"messages: at least one message is required"}""", ("x-amzn-ErrorType", "ValidationException")));

        var answer = await shop.MessagesAsync(Shop.Hello);

        Assert.Equal("""{"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"}}""", await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_throttled_call_is_asked_again()
    {
        using var shop = await OpenAsync(Nova, ProviderScripts.OneByOne(ProviderScripts.Json(429, """{"message":"Slow down."}""", ("x-amzn-ErrorType", "ThrottlingException")), ProviderScripts.Json(200, Said)));

        Assert.Equal(200, (int)(await shop.ChatAsync()).StatusCode);
    }

    private static byte[][] Opening => [PlatformEvents.Event("messageStart", """{"role":"assistant"}"""), PlatformEvents.Event("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"Hello"},"p":"ab"}""")];

    private static Func<ReceivedCall, Task> Frames(IReadOnlyList<byte[]> messages) => async call =>
    {
        call.Http.Response.ContentType = "application/vnd.amazon.eventstream";
        foreach (var message in messages)
        {
            await call.Http.Response.Body.WriteAsync(message, call.Http.RequestAborted);
            await call.Http.Response.Body.FlushAsync(call.Http.RequestAborted);
        }
    };

    private Task<PlatformShop> OpenAsync(string model, Func<ReceivedCall, Task> answer, IReadOnlyList<string>? surfaces = null, AmazonAccount? account = null, Func<string, string>? secret = null)
    {
        account ??= new AmazonAccount();
        return PlatformMarket.OpenAsync(marketplace, EndpointProtocol.Bedrock, EndpointAuthentication.AwsSignature, model, secret ?? account.Secret, account.Takes(answer), surfaces);
    }
}
