using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>Section <c>Limits</c>.</summary>
internal sealed class LimitOptions
{
    /// <summary>How long a call waits for its admission; after this it is refused, and no copy of it that is still under way is admitted.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00", ErrorMessage = "Limits:Timeout must lie between 00:00:00.100 and 00:01:00.")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one trip to Redis may take before it is made again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00", ErrorMessage = "Limits:TripTimeout must lie between 00:00:00.010 and 00:01:00, and below Limits:Timeout.")]
    public TimeSpan TripTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a settlement waits for others, or for an admission, to travel with.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:00:01", ErrorMessage = "Limits:SettleWithin must lie between 00:00:00.001 and 00:00:01.")]
    public TimeSpan SettleWithin { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Admissions and settlements in one trip, each at most.</summary>
    [Range(1, 200, ErrorMessage = "Limits:MaxBatch must lie between 1 and 200.")]
    public int MaxBatch { get; set; } = 64;

    /// <summary>Calls of one organisation that wait for admission in this instance, at most; more are refused at once.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Limits:MaxWaiting must lie between 1 and 1000000.")]
    public int MaxWaiting { get; set; } = 10_000;

    /// <summary>What becomes of calls while Redis is away.</summary>
    [EnumDataType(typeof(AwayMode), ErrorMessage = "Limits:WhenAway must be Closed or Open.")]
    public AwayMode WhenAway { get; set; } = AwayMode.Closed;

    /// <summary>With <see cref="AwayMode.Open"/>: the part of each budget, and of each month's tokens, that every instance may admit by itself. A limit is overshot by that part times the instances, at most.</summary>
    [Range(typeof(decimal), "0.0001", "1", ParseLimitsInInvariantCulture = true, ErrorMessage = "Limits:OpenShare must lie between 0.0001 and 1.")]
    public decimal OpenShare { get; set; } = 0.05m;
}

/// <summary>What becomes of calls while Redis, which keeps the counters, is away.</summary>
internal enum AwayMode
{
    /// <summary>They are refused (503): no limit is ever overshot.</summary>
    Closed,

    /// <summary>Each instance admits them by itself, within its <see cref="Allowance"/>.</summary>
    Open,
}
