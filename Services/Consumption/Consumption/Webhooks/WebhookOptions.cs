using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Section <c>Webhooks</c>: how events are sent to the addresses that organisations named.</summary>
internal sealed class WebhookOptions
{
    /// <summary>How often an instance looks for deliveries that are due.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00", ErrorMessage = "Webhooks:Every must lie between 00:00:00.050 and 00:01:00.")]
    public TimeSpan Every { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a receiver may take to answer.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00", ErrorMessage = "Webhooks:Timeout must lie between 00:00:01 and 00:01:00.")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Deliveries that an instance sends at once.</summary>
    [Range(1, 10_000, ErrorMessage = "Webhooks:MaxConcurrent must lie between 1 and 10000.")]
    public int MaxConcurrent { get; set; } = 200;

    /// <summary>Of these, to one webhook: what a slow receiver can hold.</summary>
    [Range(1, 1_000, ErrorMessage = "Webhooks:MaxConcurrentOfOne must lie between 1 and 1000.")]
    public int MaxConcurrentOfOne { get; set; } = 4;

    /// <summary>A webhook whose every attempt failed for so long is disabled.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "90.00:00:00", ErrorMessage = "Webhooks:DisableAfter must lie between 1 and 90 days.")]
    public TimeSpan DisableAfter { get; set; } = TimeSpan.FromDays(5);

    /// <summary>How long deliveries that came to their end can be read and sent again.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "365.00:00:00", ErrorMessage = "Webhooks:KeepFor must lie between 1 and 365 days.")]
    public TimeSpan KeepFor { get; set; } = TimeSpan.FromDays(30);
}
