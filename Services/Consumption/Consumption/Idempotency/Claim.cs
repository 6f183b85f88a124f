namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>An idempotency key as a call claims it: hashes only, for what callers put into it is theirs.</summary>
/// <param name="Key">Of API key, path and idempotency key: 128 bits, hex.</param>
/// <param name="Body">Of the request's body: 128 bits, hex.</param>
/// <param name="KeptFor">How long it stands once its call is complete.</param>
internal sealed record Claim(string Key, string Body, TimeSpan KeptFor)
{
    /// <summary>How long a claim stands whose call is open: longer than any call.</summary>
    public static readonly TimeSpan OpenFor = TimeSpan.FromDays(1);
}

/// <summary>What becomes of a claim whose call is complete.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="IsKept">Whether the answer is kept; else a repeat is refused.</param>
internal readonly record struct EndedClaim(Claim Claim, bool IsKept);

/// <summary>How a claim is written in Redis: <c>state call body</c>.</summary>
internal static class ClaimState
{
    /// <summary>Its call is open, as long as that call has a reservation.</summary>
    public const char Open = 'o';

    /// <summary>Its call is complete, and its answer is kept.</summary>
    public const char Kept = 'd';

    /// <summary>Its call is complete, and its answer is not kept.</summary>
    public const char NotKept = 'u';

    public static string Text(char state, Guid call, string body) => $"{state} {call:N} {body}";
}
