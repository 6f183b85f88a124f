using LlmMarketplace.Messaging.Consuming;
using Npgsql;

namespace LlmMarketplace.Messaging.Kafka;

internal sealed class KafkaTransport : IEventTransport
{
    public Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => throw new InvalidOperationException();

    public Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => throw new InvalidOperationException();

    public Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken) => throw new InvalidOperationException();
}
