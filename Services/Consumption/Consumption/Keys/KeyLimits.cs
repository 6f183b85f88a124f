using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>A key's own limits, beside those of its organisation; the tighter decides. Null: none of its own.</summary>
/// <param name="RequestsPerMinute">Requests a minute: so many at once, regained evenly.</param>
/// <param name="TokensPerMinute">Tokens a minute, in and out; a call reserves the most that it may use, and gets back what it did not.</param>
/// <param name="ConcurrentCalls">Calls open at once.</param>
internal sealed record KeyLimits(long? RequestsPerMinute = null, long? TokensPerMinute = null, long? ConcurrentCalls = null)
{
    public const long MaxRequestsPerMinute = 10_000_000;
    public const long MaxTokensPerMinute = 10_000_000_000;
    public const long MaxConcurrentCalls = 1_000_000;

    public static KeyLimits None { get; } = new();

    public IEnumerable<Issue> Check() =>
    [
        .. Check(RequestsPerMinute, MaxRequestsPerMinute, "requestsPerMinute"),
        .. Check(TokensPerMinute, MaxTokensPerMinute, "tokensPerMinute"),
        .. Check(ConcurrentCalls, MaxConcurrentCalls, "concurrentCalls"),
    ];

    private static IEnumerable<Issue> Check(long? value, long max, string name)
    {
        if (value is < 1 || value > max)
        {
            yield return new Issue("invalid_limit", "/limits/" + name, $"The limit must lie between 1 and {max}; null takes it away. To let nothing pass, suspend the key.");
        }
    }
}
