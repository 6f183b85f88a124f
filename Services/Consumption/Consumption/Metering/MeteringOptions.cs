using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>Section <c>Metering</c>.</summary>
internal sealed class MeteringOptions
{
    /// <summary>How often an instance says that it lives.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00", ErrorMessage = "Metering:Heartbeat must lie between 00:00:00.050 and 00:01:00.")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an instance must have been silent, its lock free, before its open calls are settled as lost.</summary>
    [Range(typeof(TimeSpan), "00:00:00.200", "01:00:00", ErrorMessage = "Metering:LostAfter must lie between 00:00:00.200 and 01:00:00, and be several times Metering:Heartbeat.")]
    public TimeSpan LostAfter { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Calls that share one commit, at most.</summary>
    [Range(1, 5_000, ErrorMessage = "Metering:MaxBatch must lie between 1 and 5000.")]
    public int MaxBatch { get; set; } = 500;
}
