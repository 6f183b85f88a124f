using System.Globalization;
using LlmMarketplace.Messaging.Consuming;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Feed;

/// <summary>Events without a broker: the producer's outbox is the log, and its consumers follow it over HTTP with the client <c>internal:{producer}</c>. The position is the sequence.</summary>
internal sealed partial class FeedTransport(IHttpClientFactory clients, IOptions<MessagingOptions> options, MessagingHealth health, TimeProvider time, ILogger<FeedTransport> logger)
    : IEventTransport
{
    private const string Name = "feed";
    private const int WaitSeconds = 20;

    public Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => Task.CompletedTask;

    // Numbered rows are in the feed already.
    public Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task FollowAsync(IReadOnlyList<FollowedTopic> topics, IEventApplier applier, CancellationToken cancellationToken) =>
        Task.WhenAll(topics.Select(topic => FollowAsync(topic, applier, cancellationToken)));

    private async Task FollowAsync(FollowedTopic followed, IEventApplier applier, CancellationToken cancellationToken)
    {
        var source = new EventSource(Name, followed.Topic, 0);
        var part = $"events of {followed.Producer}";
        var backoff = new Backoff(time);
        Position? position = null;
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var at = position ??= await applier.StartAsync(source, cancellationToken).ConfigureAwait(false);
                var batch = await ReadAsync(followed, at, cancellationToken).ConfigureAwait(false);
                backoff.Reset();
                health.Works(part);
                if (batch.Count > 0)
                {
                    position = null; // Unless it succeeds, what is stored decides.
                    position = await applier.ApplyAsync(source, at, batch, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (FencedException)
            {
                position = null; // Another instance applied them: go on from where it is.
            }
            catch (Exception failed)
            {
                health.Waits(part, failed.Message);
                if (backoff.IsFirst)
                {
                    Log.Waits(logger, followed.Topic, followed.Producer, failed);
                }

                await backoff.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<List<ReceivedEvent>> ReadAsync(FollowedTopic followed, Position at, CancellationToken cancellationToken)
    {
        using var client = clients.CreateClient($"internal:{followed.Producer}");
        var address = string.Create(
            CultureInfo.InvariantCulture,
            $"internal/events?topic={Uri.EscapeDataString(followed.Topic)}&after={at.Next}&limit={options.Value.BatchSize}&wait={WaitSeconds}");
        using var answer = await client.GetAsync(new Uri(address, UriKind.Relative), cancellationToken).ConfigureAwait(false);
        answer.EnsureSuccessStatusCode();
        var batch = await answer.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        return [.. CloudEventJson.Split(batch).Select(one => new ReceivedEvent(CloudEventJson.Read(one).Sequence, one))];
    }

    private static partial class Log
    {
        [LoggerMessage(3021, LogLevel.Warning, "The events of {Topic} cannot be followed at {Producer} now; tried again until it works.")]
        public static partial void Waits(ILogger logger, string topic, string producer, Exception failed);
    }
}
