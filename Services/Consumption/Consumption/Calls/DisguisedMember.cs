using System.Buffers;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Finds members that are not read here and might be at the provider: <c>Model</c> beside <c>model</c>. Go's <c>encoding/json</c>, in which many servers of models are written, takes names
/// whatever their case is, a long s (U+017F) for an s and the Kelvin sign (U+212A) for a k, and of several the last.
/// </summary>
internal static class DisguisedMember
{
    private const int Longest = 64;

    private static readonly SearchValues<byte> Plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_-.$"u8);

    private static readonly HashSet<string> Metered =
    [
        "model", "models", "stream", "stream_options", "n", "best_of", "messages", "input", "prompt", "system", "instructions", "query", "documents", "max_tokens", "max_completion_tokens",
        "max_output_tokens", "tools", "service_tier", "background", "modalities", "web_search_options", "store", "previous_response_id", "conversation", "thread", "file", "response_format", "stream_format",
        "prompt_embeds", "max_tool_calls", "speed", "inference_geo", "mcp_servers",
    ];

    /// <summary>Whether a name as it stands in the body cannot be a disguise: what is written plainly is what it is.</summary>
    public static bool IsPlain(ReadOnlySpan<byte> name) => !name.ContainsAnyExcept(Plain);

    /// <summary>The metered member that a name may be taken for; null when there is none.</summary>
    /// <param name="name">Without escapes.</param>
    public static string? Of(string name)
    {
        if (name.Length > Longest)
        {
            return null;
        }

        var folded = string.Create(name.Length, name, static (text, from) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = from[i] switch { '\u017F' => 's', '\u212A' => 'k', var other => char.ToLowerInvariant(other) };
            }
        });
        return folded != name && Metered.TryGetValue(folded, out var metered) ? metered : null;
    }
}
