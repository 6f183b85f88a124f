using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Messaging;

/// <summary>Settings of <c>Messaging</c>.</summary>
internal sealed class MessagingOptions : IValidatableObject
{
    public const string Section = "Messaging";

    /// <summary>How events travel between services.</summary>
    [Required(ErrorMessage = "Messaging:Transport is not set. Set it to Feed (no broker: consumers follow the producers' outboxes over HTTP) or to Kafka (needs ConnectionStrings:kafka).")]
    public Transport? Transport { get; set; }

    /// <summary>How often the relay and the feed look for themselves, should a notification be lost.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:00.500", ErrorMessage = "Messaging:PollInterval must lie between 10 ms and 500 ms.")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The most events that one transaction relays or applies.</summary>
    [Range(1, 1000, ErrorMessage = "Messaging:BatchSize must lie between 1 and 1000.")]
    public int BatchSize { get; set; } = 100;

    /// <summary>The waits before a failing handler is tried again; after the last one the event goes to the dead letters. Default 1, 2 and 4 s.</summary>
    public IReadOnlyList<TimeSpan>? RetryDelays { get; set; }

    /// <summary>How long events are kept, except the newest of each key of a state topic.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00", ErrorMessage = "Messaging:Retention must be at least a second.")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How often what has outlived <see cref="Retention"/> is removed.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00", ErrorMessage = "Messaging:SweepInterval must lie between a second and a day.")]
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Settings of the Kafka adapter.</summary>
    [ValidateObjectMembers]
    public KafkaOptions Kafka { get; set; } = new();

    public IReadOnlyList<TimeSpan> Delays => RetryDelays ?? DefaultDelays;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Delays.Any(delay => delay < TimeSpan.Zero || delay > TimeSpan.FromHours(1)))
        {
            yield return new ValidationResult("Messaging:RetryDelays must each lie between 0 and 1 hour, for instance 00:00:01, 00:00:02, 00:00:04: a failing event holds up those behind it.");
        }
    }

    private static readonly TimeSpan[] DefaultDelays = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4)];
}

/// <summary>Settings of <c>Messaging:Kafka</c>.</summary>
internal sealed class KafkaOptions
{
    /// <summary>Partitions of a topic. Never change it for a topic that exists: keys would move, and their order with them.</summary>
    [Range(1, 1000, ErrorMessage = "Messaging:Kafka:Partitions must lie between 1 and 1000.")]
    public int Partitions { get; set; } = 6;

    /// <summary>Replicas of a topic; -1 is the broker's default.</summary>
    [RegularExpression("-1|[1-9][0-9]*", ErrorMessage = "Messaging:Kafka:ReplicationFactor must be -1 (the broker's default) or above zero.")]
    public short ReplicationFactor { get; set; } = -1;

    /// <summary>After how long without a heartbeat a consumer's partitions go to another one.</summary>
    [Range(typeof(TimeSpan), "00:00:06", "00:05:00", ErrorMessage = "Messaging:Kafka:SessionTimeout must lie between 6 s and 5 min, the range that brokers accept unless told otherwise.")]
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(10);
}

/// <summary>How events travel between services.</summary>
internal enum Transport
{
    /// <summary>Consumers follow the producers' outboxes over HTTP.</summary>
    Feed,

    /// <summary>A Kafka cluster.</summary>
    Kafka,
}
