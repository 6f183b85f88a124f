using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Messaging.Consuming;

/// <summary>Follows the topics that the service declared, for as long as it runs.</summary>
internal sealed class ConsumerHost(Subscriptions subscriptions, IEventTransport transport, IEventApplier applier) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        subscriptions.Topics.Count == 0 ? Task.CompletedTask : transport.FollowAsync(subscriptions.Topics, applier, stoppingToken);
}
