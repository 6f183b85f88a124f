using System.Text.Json.Serialization;

namespace LlmMarketplace.Consumption.Pricing;

/// <summary>
/// What a call consumed, counted one way whoever the provider is: totals include their parts. (OpenAI's input includes cached tokens, Anthropic's does not; the
/// readers of <see cref="Calls.ReadUsage"/> add them up.)
/// </summary>
/// <param name="InputTokens">Tokens in, with those read from and written to the provider's cache.</param>
/// <param name="CachedInputTokens">Of these, read from the cache.</param>
/// <param name="OutputTokens">Tokens out, with reasoning.</param>
internal readonly record struct TokenUsage(long InputTokens, long CachedInputTokens, long OutputTokens)
{
    /// <summary>Of the input, written to the cache for 5 minutes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long CacheWriteTokens { get; init; }

    /// <summary>Of the input, written to the cache for an hour.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long CacheWrite1hTokens { get; init; }

    /// <summary>Of the input, audio.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long AudioInputTokens { get; init; }

    /// <summary>Of the output, reasoning.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long ReasoningTokens { get; init; }

    /// <summary>Of the output, audio.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long AudioOutputTokens { get; init; }

    /// <summary>Images made.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Images { get; init; }

    /// <summary>Seconds of audio transcribed or translated, where time is what is counted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public decimal AudioSeconds { get; init; }

    /// <summary>Characters spoken.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Characters { get; init; }

    /// <summary>Uses of the provider's web search.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long WebSearches { get; init; }

    [JsonIgnore]
    public long Total => InputTokens + OutputTokens;

    /// <summary>Whether no part is larger than its whole: what a provider reports may be nonsense.</summary>
    [JsonIgnore]
    public bool IsConsistent =>
        CachedInputTokens + CacheWriteTokens + CacheWrite1hTokens <= InputTokens && AudioInputTokens <= InputTokens && ReasoningTokens <= OutputTokens && AudioOutputTokens <= OutputTokens;
}
