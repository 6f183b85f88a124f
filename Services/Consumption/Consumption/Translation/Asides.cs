using System.Text.Json;

namespace LlmMarketplace.Consumption.Translation;

/// <summary>
/// Members that say how a call is cached, kept, labelled or billed, and never what to answer: existing programs send them whatever the model, so they are no reason to refuse a call where the
/// provider has none of them. What was asked for and does not happen is told by <c>x-marketplace-dropped</c>, without having been asked for.
/// </summary>
internal static class Asides
{
    /// <summary>What the provider does anyway. Service tiers that cost apart are refused before anything is translated.</summary>
    public static bool IsUsual(string name, JsonElement value) => name switch
    {
        "service_tier" => value.ValueKind == JsonValueKind.String,
        "verbosity" => value.ValueKind == JsonValueKind.String && value.ValueEquals("medium"),
        "top_logprobs" => value.ValueKind == JsonValueKind.Number && value.GetRawText() == "0",
        "store" or "logprobs" or "background" => value.ValueKind == JsonValueKind.False,
        _ => false,
    };

    /// <summary>The type of a member that Chat has for its platform; null when it may change the answer.</summary>
    public static JsonValueKind? OfChat(string name, JsonElement value) => name switch
    {
        "prompt_cache_key" or "prompt_cache_retention" => JsonValueKind.String,
        "metadata" => JsonValueKind.Object,
        "store" when value.ValueKind == JsonValueKind.True => JsonValueKind.True, // Kept for the platform's pages only: nothing reads it back.
        _ => null,
    };

    /// <summary>The same of Responses. <c>store</c> is none: what is stored is gone on with.</summary>
    public static JsonValueKind? OfResponses(string name) => name switch
    {
        "prompt_cache_retention" => JsonValueKind.String,
        "client_metadata" => JsonValueKind.Object,
        _ => null,
    };

    /// <summary>Edits that only forget earlier thoughts, which a provider of another protocol does not keep.</summary>
    public static bool OnlyForgetsThoughts(JsonElement contextManagement) =>
        contextManagement.ValueKind == JsonValueKind.Object
        && contextManagement.EnumerateObject().All(member => member.Name == "edits" && member.Value.ValueKind == JsonValueKind.Array && member.Value.EnumerateArray().All(IsOfThoughts));

    private static bool IsOfThoughts(JsonElement edit) =>
        edit.ValueKind == JsonValueKind.Object && edit.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && type.GetString()!.StartsWith("clear_thinking_", StringComparison.Ordinal);
}
