using Confluent.Kafka;
using LlmMarketplace.Messaging.Consuming;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Messaging.Kafka;

/// <summary>
/// One member of the service's consumer group. Kafka says who reads a partition; where to go on stands in the service's own database, and only a move from the position that
/// this member read there succeeds. So a member that lost a partition without knowing it can apply nothing more.
/// </summary>
internal sealed partial class KafkaFollower(IKafkaClients clients, ServiceIdentity service, IOptions<MessagingOptions> options, MessagingHealth health, TimeProvider time, ILogger<KafkaFollower> logger)
{
    /// <summary>Follows until cancelled; blocks.</summary>
    public void Follow(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken)
    {
        var backoff = new Backoff(time);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                using var member = new KafkaMember(clients, Settings(), options.Value.BatchSize, applier, health, cancellationToken);
                member.Run(topics.Select(topic => topic.Topic), backoff);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed)
            {
                health.Waits(KafkaMember.Part, failed.Message);
                if (backoff.IsFirst)
                {
                    Log.Waits(logger, failed);
                }

                backoff.WaitAsync(cancellationToken).ContinueWith(_ => { }, TaskScheduler.Default).Wait(CancellationToken.None);
            }
        }
    }

    private ConsumerConfig Settings() => new()
    {
        ClientId = service.Name,
        GroupId = service.Name,
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        AutoOffsetReset = AutoOffsetReset.Earliest, // A stored offset that is gone: the sequence drops what was applied.
        AllowAutoCreateTopics = false,
        TopicMetadataRefreshIntervalMs = 2000, // A consumer may start before its producer has made the topic.
        SessionTimeoutMs = (int)options.Value.Kafka.SessionTimeout.TotalMilliseconds,
        HeartbeatIntervalMs = (int)(options.Value.Kafka.SessionTimeout.TotalMilliseconds / 5),
    };

    private static partial class Log
    {
        [LoggerMessage(3051, LogLevel.Warning, "Events cannot be taken from Kafka now; tried again until it works.")]
        public static partial void Waits(ILogger logger, Exception failed);
    }
}
