using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>Section <c>Sla</c>: how providers' promises are watched.</summary>
internal sealed class SlaOptions
{
    /// <summary>How often what was observed is compared with what was promised.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00", ErrorMessage = "Sla:Every must lie between 00:00:00.100 and 00:05:00.")]
    public TimeSpan Every { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Calls of how long count for latency and error rate.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "01:00:00", ErrorMessage = "Sla:Window must lie between 00:01:00 and 01:00:00.")]
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The most failed calls within the window, in per cent of those that the provider had.</summary>
    [Range(0d, 100d, ErrorMessage = "Sla:ErrorRate must lie between 0 and 100, in per cent.")]
    public decimal ErrorRate { get; set; } = 0.1m;
}
