using LlmMarketplace.Messaging.Consuming;
using Npgsql;

namespace LlmMarketplace.Messaging.Kafka;

/// <summary>
/// Events through a Kafka cluster. Topics are made explicitly, with a fixed number of partitions; a key stays in its partition. Kafka may bring an event twice (the relay died before it
/// noted the acknowledgement) but never out of order, so the consumer drops what is not beyond the sequence that it stored for the partition.
/// </summary>
internal sealed class KafkaTransport(KafkaPublisher publisher, KafkaFollower follower) : IEventTransport
{
    public Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => publisher.PrepareAsync(relay, cancellationToken);

    public Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => publisher.PublishAsync(relay, cancellationToken);

    public Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken)
    {
        // Kafka's consumer blocks: it has a thread of its own.
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var thread = new Thread(() =>
        {
            try
            {
                follower.Follow(topics, applier, cancellationToken);
                ended.SetResult();
            }
            catch (Exception failed)
            {
                ended.SetException(failed);
            }
        })
        {
            IsBackground = true,
            Name = "Kafka consumer",
        };
        thread.Start();
        return ended.Task;
    }
}
