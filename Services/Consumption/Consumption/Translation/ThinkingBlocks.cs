using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// How what a provider signed of its thoughts comes to callers of another protocol and back, in compositions.
/// <code>
///                                   Chat, the middle                                       Messages                                Responses
///  Messages and Converse sign       thinking_blocks of the message                         thinking, redacted_thinking             reasoning, the block sealed in encrypted_content
///  Gemini signs a call              tool_calls[n].extra_content.google.thought_signature   redacted_thinking, marked, before it    reasoning, that block sealed, before it
/// </code>
/// Sealed is wrapped, not secret: nothing is in it that the caller may not read.
/// </summary>
internal static class ThinkingBlocks
{
    // Tells Gemini's signatures from what Anthropic's models redact.
    private const string Google = "google.thought_signature:";
    private const string Seal = "marketplace.thinking:";

    /// <summary>Gemini's signature of a call, as the data of a <c>redacted_thinking</c> block.</summary>
    /// <param name="signature">As it is escaped.</param>
    public static byte[] OfGoogle(ReadOnlySpan<byte> signature) => [.. Encoding.UTF8.GetBytes(Google), .. signature];

    /// <summary>Gemini's signature, when the block holds one; null when it is another block.</summary>
    public static string? GoogleOf(JsonElement block) =>
        block.ValueKind == JsonValueKind.Object && block.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.String
        && data.GetString() is { } text && text.StartsWith(Google, StringComparison.Ordinal) ? text[Google.Length..] : null;

    /// <summary>A block, sealed.</summary>
    /// <param name="thinking">Its text, as it is escaped.</param>
    /// <param name="signature">Its signature, as it is escaped.</param>
    public static string Sealed(ReadOnlySpan<byte> thinking, ReadOnlySpan<byte> signature) =>
        SealedBlock([.. """{"type":"thinking","thinking":"""u8, (byte)'"', .. thinking, .. "\",\"signature\":\""u8, .. signature, .. "\"}"u8]);

    /// <summary>A redacted block, sealed.</summary>
    /// <param name="data">As it is escaped.</param>
    public static string Sealed(ReadOnlySpan<byte> data) => SealedBlock([.. "{\"type\":\"redacted_thinking\",\"data\":\""u8, .. data, .. "\"}"u8]);

    /// <summary>The block that was sealed; null when the text is another one's.</summary>
    public static JsonElement? Open(string text)
    {
        if (!text.StartsWith(Seal, StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            using var block = JsonDocument.Parse(Base64Url.DecodeFromChars(text.AsSpan(Seal.Length)));
            return block.RootElement.ValueKind == JsonValueKind.Object ? block.RootElement.Clone() : null;
        }
        catch (Exception broken) when (broken is FormatException or JsonException)
        {
            return null;
        }
    }

    private static string SealedBlock(byte[] block) => Seal + Base64Url.EncodeToString(block);
}
