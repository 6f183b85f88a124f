using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ResponseCache;

/// <summary>Hits below every address whose answers are cached, in the provider's own protocol and translated.</summary>
public sealed class CachedSurfacesTests(Marketplace marketplace)
{
    private const string Message =
        """{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}""";

    private const string MessageEvents =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[],\"model\":\"m\",\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
        + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
        + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"
        + "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n"
        + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    private const string Response =
        """{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":3,"output_tokens":2}}""";

    private const string ResponseEvents = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"Hello\"}\n\n"
        + "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":" + Response + "}\n\n";

    private const string Gemini =
        """{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2}}""";

    [Theory]
    [InlineData("/v1/messages", EndpointProtocol.Anthropic, Message, MessageEvents)]
    [InlineData("/v1/responses", EndpointProtocol.OpenAi, Response, ResponseEvents, ServiceSurfaces.Responses)]
    [InlineData("/v1/chat/completions", EndpointProtocol.Anthropic, Message, MessageEvents)]
    [InlineData("/v1/responses", EndpointProtocol.Anthropic, Message, MessageEvents)]
    [InlineData("/v1/messages", EndpointProtocol.Gemini, Gemini, "data: " + Gemini + "\n\n")]
    [InlineData("/v1/responses", EndpointProtocol.Gemini, Gemini, "data: " + Gemini + "\n\n")]
    public async Task A_hit_is_what_the_first_caller_got_whole_and_streamed(string path, EndpointProtocol protocol, string whole, string events, string? surface = null)
    {
        var asked = 0;
        var service = await marketplace.AddServiceAsync(
            call => Interlocked.Increment(ref asked) > 2 ? ProviderScripts.Fail(500)(call)
                : call.Path.Contains("stream", StringComparison.Ordinal) || call.Body.Contains("\"stream\":true", StringComparison.Ordinal) ? SurfaceMarket.Streaming(events)(call) : ProviderScripts.Json(200, whole)(call),
            Prices.PerMillionTokens(1m, 1m), protocol, surface is null ? null : [surface]);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();
        await marketplace.CacheAsync(member);
        var body = path == "/v1/responses" ? "\"input\":\"Hi\",\"store\":false" : "\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]";
        foreach (var (stream, kept) in new[] { ("", 1), (",\"stream\":true", 2) })
        {
            var request = $$"""{"model":"acme/{{service.Name}}",{{body}}{{stream}}}""";
            using var first = await client.PostJsonAsync(path, request);
            var text = await first.Content.ReadAsStringAsync();
            Assert.Equal((200, "miss"), ((int)first.StatusCode, first.Header(ServeCached.Header)));
            await marketplace.KeptAsync(member, kept);

            using var hit = await client.PostJsonAsync(path, request);

            Assert.Equal((200, "hit", text), ((int)hit.StatusCode, hit.Header(ServeCached.Header), await hit.Content.ReadAsStringAsync()));
            Assert.Equal(first.Content.Headers.ContentType, hit.Content.Headers.ContentType);
            Assert.Contains("Hello", text, StringComparison.Ordinal);
            var record = await member.RecordAsync(hit.RequestId());
            Assert.Equal((true, 0m, stream.Length > 0), (record.GetProperty("fromCache").GetBoolean(), record.GetProperty("cost").GetDecimal(), record.GetProperty("streamed").GetBoolean()));
        }

        Assert.Equal(2, asked);
    }
}
