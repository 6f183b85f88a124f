using LlmMarketplace.Messaging.Consuming;
using Npgsql;

namespace LlmMarketplace.Messaging.Tests.Publishing;

/// <summary>Fails whenever it is to publish, and does not let the relay come back: its database connection stays good.</summary>
internal sealed class BrokenTransport : IEventTransport
{
    private int prepared;

    /// <summary>Ends once it has failed.</summary>
    public TaskCompletionSource Failed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken) =>
        Interlocked.Increment(ref prepared) == 1 ? Task.CompletedTask : throw new InvalidOperationException("It stays broken.");

    public Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        Failed.TrySetResult();
        throw new InvalidOperationException("It is broken.");
    }

    public Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken) => Task.CompletedTask;
}
