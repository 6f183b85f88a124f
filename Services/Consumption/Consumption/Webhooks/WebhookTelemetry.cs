using System.Diagnostics.Metrics;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>Metrics of webhooks.</summary>
internal sealed class WebhookTelemetry : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> attempts;
    private long waiting;

    public WebhookTelemetry(IMeterFactory meters)
    {
        meter = meters.Create("LlmMarketplace.Consumption.Webhooks");
        attempts = meter.CreateCounter<long>("marketplace.webhooks.attempts", "{attempt}", "Attempts to deliver an event: delivered, refused (by a status), or why there was no answer.");
        meter.CreateObservableGauge("marketplace.webhooks.waiting", () => Waiting, "{delivery}", "Deliveries that wait for an attempt, those of disabled webhooks too. Every instance tells all.");
    }

    /// <summary>Deliveries that wait.</summary>
    public long Waiting
    {
        get => Interlocked.Read(ref waiting);
        set => Interlocked.Exchange(ref waiting, value);
    }

    public void Attempted(SendResult result) => attempts.Add(1, new KeyValuePair<string, object?>("marketplace.result", result.IsDelivered ? "delivered" : result.Error ?? "refused"));

    public void Dispose() => meter.Dispose();
}
