using System.Diagnostics;
using System.Diagnostics.Metrics;
using LlmMarketplace.Messaging.Consuming;

namespace LlmMarketplace.Messaging;

/// <summary>Traces and metrics <c>LlmMarketplace.Messaging</c> of one service.</summary>
internal sealed class MessagingTelemetry : IDisposable
{
    private const string Name = "LlmMarketplace.Messaging";
    private readonly ActivitySource activities = new(Name);
    private readonly KeyValuePair<string, object?> service;
    private readonly Counter<long> published;
    private readonly Counter<long> applied;
    private readonly Counter<long> attempts;
    private readonly Counter<long> deadLetters;
    private readonly Histogram<double> lag;

    public MessagingTelemetry(IMeterFactory meters, ServiceIdentity identity)
    {
        var meter = meters.Create(Name);
        service = new("marketplace.service", identity.Name);
        published = meter.CreateCounter<long>("marketplace.messaging.published", "{event}", "Events that the relay took on.");
        applied = meter.CreateCounter<long>("marketplace.messaging.applied", "{event}", "Events whose effects were committed.");
        attempts = meter.CreateCounter<long>("marketplace.messaging.attempts", "{attempt}", "Failed attempts to apply an event.");
        deadLetters = meter.CreateCounter<long>("marketplace.messaging.dead_letters", "{event}", "Events put aside.");
        lag = meter.CreateHistogram<double>("marketplace.messaging.lag", "s", "From the change to its effect in the consumer.");
    }

    public void Published(string topic, long count) => published.Add(count, service, Topic(topic));

    public void Applied(string topic, TimeSpan after)
    {
        applied.Add(1, service, Topic(topic));
        lag.Record(after.TotalSeconds, service, Topic(topic));
    }

    public void Failed(string topic) => attempts.Add(1, service, Topic(topic));

    public void Dead(string topic, DeadReason reason) => deadLetters.Add(1, service, Topic(topic), new("reason", reason.ToString()));

    /// <summary>The span of one event's application, a child of the span that caused the event.</summary>
    public Activity? Apply(string topic, string type, string? traceparent)
    {
        _ = ActivityContext.TryParse(traceparent, null, isRemote: true, out var parent);
        var activity = activities.StartActivity($"apply {type}", ActivityKind.Consumer, parent);
        activity?.SetTag("messaging.destination.name", topic).SetTag(service.Key, service.Value);
        return activity;
    }

    public void Dispose() => activities.Dispose();

    private static KeyValuePair<string, object?> Topic(string topic) => new("messaging.destination.name", topic);
}
