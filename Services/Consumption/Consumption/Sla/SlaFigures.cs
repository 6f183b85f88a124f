using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>What the calls of a version came to that ended within some seconds.</summary>
internal sealed class SlaInterval
{
    /// <summary>How long one is.</summary>
    public static readonly TimeSpan Length = TimeSpan.FromSeconds(10);

    public required Guid VersionId { get; init; }

    public required DateTimeOffset Start { get; init; }

    public required Guid ListingId { get; init; }

    /// <summary>Calls that tell something of the provider.</summary>
    public required long Calls { get; init; }

    /// <summary>Of these, the ones that the provider failed.</summary>
    public required long Failures { get; init; }

    /// <summary>The longest that a completed one took, in milliseconds; 0: none was completed.</summary>
    public required double WorstMs { get; init; }
}

/// <summary>The same of a UTC day.</summary>
internal sealed class SlaDay
{
    public required Guid VersionId { get; init; }

    public required DateOnly Day { get; init; }

    public required Guid ListingId { get; init; }

    public required long Calls { get; init; }

    public required long Failures { get; init; }
}

/// <summary>What one call tells of its provider.</summary>
internal readonly record struct SlaCall(bool Counts, bool Failed, double Ms)
{
    private static readonly int[] Misconfigured = [401, 402, 403, 404, 405, 407];

    /// <summary>
    /// Failed: it was not reached, did not answer in time, answered with 5xx, refused the marketplace itself, broke off, or did not answer what it should. Calls that the response cache answered, that their callers left, that we
    /// lost or ended, and those that the provider had no room for (429) tell neither.
    /// </summary>
    public static SlaCall Of(UsageRecord record) => record.Outcome switch
    {
        RequestOutcome.Completed when record.FromCache => default,
        RequestOutcome.Completed => new(true, false, record.Streamed ? record.FirstByteMs ?? record.LatencyMs : record.LatencyMs),
        RequestOutcome.RefusedByProvider => new(record.StatusCode != 429, false, 0),
        RequestOutcome.Failed or RequestOutcome.Cut when record.Attempts is [.., var last] && IsFailure(record, last) => new(true, true, 0),
        _ => default,
    };

    private static bool IsFailure(UsageRecord record, Attempt last) =>
        last.Error is { } error ? error is not (Attempt.Left or Attempt.LeftUnsent)
        : last.Status is >= 500 || (last.Status is { } status && Misconfigured.Contains(status))
        || (record.Outcome == RequestOutcome.Failed && record.StatusCode is 502 or 504);
}
