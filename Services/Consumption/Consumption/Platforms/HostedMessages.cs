using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Platforms;

/// <summary>
/// Anthropic's Messages as Google and Amazon host them: the body says the platform's version of the protocol and not the model, which stands in the path. All other members stay as they came.
/// (https://docs.anthropic.com/en/api/claude-on-vertex-ai, https://docs.anthropic.com/en/api/claude-on-amazon-bedrock)
/// </summary>
internal static class HostedMessages
{
    private const int AnyDepth = 1_000_000; // It was read, and found shallow enough, before.

    /// <summary>The platform's body.</summary>
    /// <param name="messages">A Messages request.</param>
    /// <param name="platform">Vertex or Bedrock.</param>
    /// <param name="model">The provider's model id, where the body has to say it all the same; else null.</param>
    /// <param name="fallbacks">Whether its member <c>models</c> is for us.</param>
    /// <param name="cap">The most tokens to produce, when the caller set no maximum; else null.</param>
    /// <param name="betas">The header <c>anthropic-beta</c> when the platform wants it in the body; else null.</param>
    public static ReadOnlyMemory<byte> Body(ReadOnlyMemory<byte> messages, EndpointProtocol platform, string? model, bool fallbacks, long? cap, string? betas)
    {
        var body = messages.Span;
        var output = new ArrayBufferWriter<byte>(body.Length + 128);
        output.Write(platform == EndpointProtocol.Vertex ? "{\"anthropic_version\":\"vertex-2023-10-16\""u8 : "{\"anthropic_version\":\"bedrock-2023-05-31\""u8);
        if (model is not null)
        {
            Write(output, $",\"model\":{JsonSerializer.Serialize(model)}");
        }

        if (betas is not null)
        {
            Write(output, $",\"anthropic_beta\":{JsonSerializer.Serialize(betas.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))}");
        }

        if (cap is { } most)
        {
            Write(output, $",\"max_tokens\":{most}");
        }

        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = AnyDepth });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var start = (int)reader.TokenStartIndex;
            var isReplaced = reader.ValueTextEquals("model"u8) || reader.ValueTextEquals("anthropic_version"u8)
                || (platform == EndpointProtocol.Bedrock && reader.ValueTextEquals("stream"u8))
                || (betas is not null && reader.ValueTextEquals("anthropic_beta"u8))
                || (cap is not null && reader.ValueTextEquals("max_tokens"u8))
                || (fallbacks && reader.ValueTextEquals("models"u8));
            reader.Read();
            reader.Skip();
            if (!isReplaced)
            {
                output.Write(","u8);
                output.Write(body[start..(int)reader.BytesConsumed]);
            }
        }

        output.Write("}"u8);
        return output.WrittenMemory;
    }

    private static void Write(ArrayBufferWriter<byte> output, string text) => output.Write(Encoding.UTF8.GetBytes(text));
}
