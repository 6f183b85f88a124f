using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Threading.RateLimiting;
using LlmMarketplace.ApiConventions;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>How often an address may bring a key that is none: section <c>Keys:Guesses</c>.</summary>
internal sealed class KeyGuessOptions
{
    /// <summary>Wrong keys at once.</summary>
    [Range(1, 100_000, ErrorMessage = "Keys:Guesses:Burst must be between 1 and 100000.")]
    public int Burst { get; set; } = 100;

    /// <summary>Wrong keys per second in the long run.</summary>
    [Range(1, 100_000, ErrorMessage = "Keys:Guesses:PerSecond must be between 1 and 100000.")]
    public int PerSecond { get; set; } = 1;
}

/// <summary>
/// Bounds guesses. A wrong key takes from two buckets: its address's (an IPv6 client is its /64), and, where a key has its identifier, that key's at this address. When the first is empty, further
/// wrong keys are told so. When the second is, that key is not looked at any more from there, not even the right one. So nobody guesses a secret, and nobody shuts out a neighbour
/// whose keys they do not know. Memory follows who was wrong a short time ago.
/// </summary>
internal sealed class KeyGuesses(IOptions<KeyGuessOptions> options) : IDisposable
{
    private readonly PartitionedRateLimiter<string> buckets = PartitionedRateLimiter.Create<string, string>(whose => RateLimitPartition.GetTokenBucketLimiter(whose, _ => new TokenBucketRateLimiterOptions
    {
        TokenLimit = options.Value.Burst,
        TokensPerPeriod = options.Value.PerSecond,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        QueueLimit = 0,
    }));

    // Identifiers of keys that somebody was wrong about: all others cost a call nothing.
    private readonly ConcurrentDictionary<string, bool> guessed = new();

    /// <summary>When there is room for one more.</summary>
    public static TimeSpan Pause => TimeSpan.FromSeconds(1);

    /// <summary>Whether this key is not to be looked at from there.</summary>
    public bool IsBarred(IPAddress? address, string identifier)
    {
        if (guessed.IsEmpty || !guessed.ContainsKey(identifier))
        {
            return false;
        }

        using var any = buckets.AttemptAcquire($"{ClientAddress.Of(address)} {identifier}", 0);
        return !any.IsAcquired;
    }

    /// <summary>Notes a wrong key; false when there have been too many.</summary>
    /// <param name="address">Where it came from.</param>
    /// <param name="identifier">Of the key that it pretends to be; null when there is none of that identifier.</param>
    public bool TryNote(IPAddress? address, string? identifier)
    {
        var client = ClientAddress.Of(address);
        if (identifier is not null)
        {
            guessed.TryAdd(identifier, true);
            using var ofKey = buckets.AttemptAcquire($"{client} {identifier}");
        }

        using var ofAddress = buckets.AttemptAcquire(client);
        return ofAddress.IsAcquired;
    }

    public void Dispose() => buckets.Dispose();
}
