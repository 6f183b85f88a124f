using System.Text.Json;
using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Translation;

internal sealed partial class MessagesRequestToChat
{
    /// <summary>Gemini's signature of the next call.</summary>
    private string? signature;

    private static int Rank(string kind) => kind switch { "thinking" or "redacted_thinking" => 0, "tool_use" => 2, _ => 1 };

    /// <summary>Signed thinking where the provider takes it back; unsigned is left out, and so is what only Gemini reads where another answers.</summary>
    private void WriteThinking(List<(JsonElement Value, string Path)> blocks, List<string> kinds)
    {
        var opened = false;
        for (var i = 0; i < blocks.Count; i++)
        {
            var (block, path) = blocks[i];
            if (kinds[i] is "text" or "tool_use" || (kinds[i] == "thinking" && IsUnsigned(block)))
            {
                continue;
            }

            if (kinds[i] == "redacted_thinking" && Middle is not null && ThinkingBlocks.GoogleOf(block) is { } signed)
            {
                signature = Middle.Provider == Dialect.Gemini ? signed : null;
            }
            else if (kinds[i] is "thinking" or "redacted_thinking" && Middle is { TakesThinking: true })
            {
                if (!opened)
                {
                    opened = true;
                    Json.WriteStartArray("thinking_blocks");
                }

                From(path, isCopy: true);
                Raw(block);
            }
            else
            {
                Gap($"{path}.type", $"Blocks of type `{kinds[i]}` have no counterpart in the provider's protocol.");
            }
        }

        if (opened)
        {
            Json.WriteEndArray();
        }
    }

    private static bool IsUnsigned(JsonElement block) => block.TryGetProperty("signature", out var signature) && signature.ValueKind == JsonValueKind.String && signature.ValueEquals("");
}
