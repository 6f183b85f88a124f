using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class ResponsesRequestToChat
{
    /// <summary>Gemini's signature of the next call.</summary>
    private string? signature;

    /// <summary>Reasoning that a provider signed, where it takes it back; unsigned is left out, and so is what only Gemini reads where another answers.</summary>
    private void WriteReasoning(JsonElement item, string path)
    {
        if (!item.TryGetProperty("encrypted_content", out var secret) || secret.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        var at = $"{path}.encrypted_content";
        var block = Middle is null ? null : ThinkingBlocks.Open(Text(secret, at));
        if (block is { } google && ThinkingBlocks.GoogleOf(google) is { } signed)
        {
            signature = Middle!.Provider == Dialect.Gemini ? signed : null;
        }
        else if (block is { } thinking && Middle is { TakesThinking: true })
        {
            CloseAssistant();
            Json.WriteStartObject();
            Json.WriteString("role", "assistant");
            Json.WriteStartArray("thinking_blocks");
            From(at);
            Raw(thinking);
            Json.WriteEndArray();
            Json.WriteEndObject();
        }
        else
        {
            Gap($"{path}.type", "Reasoning of another provider has no counterpart in the provider's protocol.");
        }
    }
}
