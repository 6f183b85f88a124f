using System.Text.Json;
using LlmMarketplace.ApiConventions;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>An event type that this service handles.</summary>
internal abstract record Subscription(string Producer, string Topic, string Type, TopicKind Kind)
{
    /// <summary>Reads the event's data.</summary>
    /// <exception cref="Exception">It cannot be read; <see cref="IsUnreadable"/> tells.</exception>
    public abstract object Read(ReadOnlySpan<byte> data);

    /// <summary>Calls the handler.</summary>
    public abstract Task HandleAsync(IServiceProvider services, object data, EventContext context, CancellationToken cancellationToken);

    /// <summary>Whether this is how reading fails: JSON that does not fit the record, or values that its constructor refuses.</summary>
    public static bool IsUnreadable(Exception failed) => failed is JsonException or NotSupportedException or ArgumentException or FormatException or OverflowException;
}

/// <inheritdoc/>
internal sealed record Subscription<TEvent, THandler>(string Producer, string Topic, string Type, TopicKind Kind) : Subscription(Producer, Topic, Type, Kind)
    where TEvent : class
    where THandler : class, IEventHandler<TEvent>
{
    public override object Read(ReadOnlySpan<byte> data) => JsonSerializer.Deserialize<TEvent>(data, Json.Options) ?? throw new JsonException("The event's data is null.");

    public override Task HandleAsync(IServiceProvider services, object data, EventContext context, CancellationToken cancellationToken) =>
        services.GetRequiredService<THandler>().HandleAsync((TEvent)data, context, cancellationToken);
}

/// <summary>What this service handles, and what becomes of an event before any handler sees it.</summary>
internal sealed class Subscriptions(IEnumerable<Subscription> declared)
{
    private readonly ILookup<(string Topic, string Type), Subscription> byType = declared.ToLookup(subscription => (subscription.Topic, subscription.Type));
    private readonly HashSet<(string Topic, string Name)> names = [.. declared.Select(subscription => (subscription.Topic, NameOf(subscription.Type)))];

    /// <summary>The topics to follow.</summary>
    public IReadOnlyList<FollowedTopic> Topics { get; } = [.. declared.Select(subscription => new FollowedTopic(subscription.Producer, subscription.Topic)).Distinct()];

    /// <summary>Reads an event: its handlers and data, or why it is dead, or neither when nobody here handles its type.</summary>
    public PreparedEvent Prepare(string topic, ReceivedEvent received)
    {
        Envelope? envelope = null;
        try
        {
            var read = CloudEventJson.Read(received.Raw);
            envelope = read;
            var handlers = byType[(topic, read.Type)].Select(subscription => new Handling(subscription, subscription.Read(read.Data.Span))).ToList();
            if (handlers.Count == 0 && names.Contains((topic, NameOf(read.Type))))
            {
                return new PreparedEvent(received, envelope) { Dead = new(DeadReason.UnknownVersion, $"This service does not know {read.Type}.") };
            }

            return new PreparedEvent(received, envelope) { Handlers = handlers };
        }
        catch (Exception failed) when (Subscription.IsUnreadable(failed))
        {
            return new PreparedEvent(received, envelope) { Dead = new(DeadReason.Unreadable, failed.Message) };
        }
    }

    // marketplace.service.changed.v2 → marketplace.service.changed
    private static string NameOf(string type) =>
        type.LastIndexOf(".v", StringComparison.Ordinal) is > 0 and var at && int.TryParse(type.AsSpan(at + 2), out _) ? type[..at] : type;
}

/// <summary>An event that was read as far as it can be.</summary>
internal sealed record PreparedEvent(ReceivedEvent Received, Envelope? Envelope)
{
    public IReadOnlyList<Handling> Handlers { get; init; } = [];

    public DeadCause? Dead { get; init; }
}

/// <summary>A handler and the data that it takes.</summary>
internal sealed record Handling(Subscription Subscription, object Data);

/// <summary>Why an event was put aside.</summary>
internal sealed record DeadCause(DeadReason Reason, string Error, int Attempts = 0);

/// <summary>Why an event was put aside.</summary>
internal enum DeadReason
{
    /// <summary>It cannot be read.</summary>
    Unreadable,

    /// <summary>Its type is known here, its major version is not.</summary>
    UnknownVersion,

    /// <summary>Its handler failed each time.</summary>
    HandlerFailed,
}
