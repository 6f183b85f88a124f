using System.Text;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Tests.Platforms;

/// <summary>Streams as platforms send them. Amazon's framing is <see cref="AmazonFrames"/>.</summary>
internal static class PlatformEvents
{
    /// <summary>Events of a whole message: 60 tokens in, 40 from the cache, 20 out.</summary>
    public static string[] Messages(string text) =>
    [
        """{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[],"stop_reason":null,"usage":{"input_tokens":60,"cache_read_input_tokens":40,"output_tokens":1}}}""",
        """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""",
        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":" + JsonSerializer.Serialize(text) + "}}",
        """{"type":"content_block_stop","index":0}""",
        """{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":20}}""",
        """{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":60,"outputTokenCount":20}}""",
    ];

    /// <summary>As Anthropic sends events.</summary>
    public static string AsSse(IEnumerable<string> events) => string.Concat(events.Select(one => $"event: {JsonElement.Parse(one).Text("type")}\ndata: {one}\n\n"));

    /// <summary>As InvokeModel sends one.</summary>
    public static byte[] Chunk(string json) =>
        AmazonFrames.Frame(Encoding.UTF8.GetBytes($$"""{"bytes":"{{Convert.ToBase64String(Encoding.UTF8.GetBytes(json))}}","p":"abcdef"}"""), (":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event"));

    /// <summary>As Converse sends one.</summary>
    public static byte[] Event(string type, string json) => AmazonFrames.Frame(Encoding.UTF8.GetBytes(json), (":event-type", type), (":content-type", "application/json"), (":message-type", "event"));

    /// <summary>As both send a failure.</summary>
    public static byte[] Exception(string type, string message) =>
        AmazonFrames.Frame(Encoding.UTF8.GetBytes($$"""{"message":"{{message}}"}"""), (":exception-type", type), (":content-type", "application/json"), (":message-type", "exception"));
}
