using LlmMarketplace.Messaging.Consuming;
using Npgsql;

namespace LlmMarketplace.Messaging;

/// <summary>
/// The port that both adapters implement: how events leave the outbox of one service and reach the applier of another. One suite of tests
/// (Tests/Compliance) holds for both.
/// </summary>
internal interface IEventTransport
{
    /// <summary>Prepares the service's own topics; called by the relay each time it takes the lock, before anything is published.</summary>
    Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken);

    /// <summary>Takes what has a sequence to where consumers find it, in order; called by the relay only, which holds the lock on <paramref name="relay"/>.</summary>
    Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken);

    /// <summary>Brings the events of <paramref name="topics"/> to <paramref name="applier"/>, each partition's in order, until cancelled. What fails is waited for and begun anew.</summary>
    Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken);
}

/// <summary>A topic to follow.</summary>
/// <param name="Producer">The service that owns it.</param>
/// <param name="Topic">Its name.</param>
internal sealed record FollowedTopic(string Producer, string Topic);
