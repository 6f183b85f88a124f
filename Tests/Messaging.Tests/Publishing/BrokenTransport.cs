using LlmMarketplace.Messaging.Consuming;
using Npgsql;

namespace LlmMarketplace.Messaging.Tests.Publishing;

/// <summary>Fails whenever it is to publish; the relay's database connection stays good.</summary>
internal sealed class BrokenTransport : IEventTransport
{
    /// <summary>Ends once it has failed.</summary>
    public TaskCompletionSource Failed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        Failed.TrySetResult();
        throw new InvalidOperationException("It is broken.");
    }

    public Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken) => Task.CompletedTask;
}
