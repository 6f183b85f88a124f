using System.Collections.Concurrent;
using Confluent.Kafka;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>Follows the topic of settled calls as any consumer does, from its beginning, on a thread of its own.</summary>
internal sealed class Events : IDisposable
{
    private const string Topic = "marketplace.requests";
    private readonly ConcurrentDictionary<Guid, bool> seen = new();
    private readonly CancellationTokenSource ending = new();
    private readonly Thread thread;

    public Events(string brokers)
    {
        thread = new Thread(() => Follow(brokers)) { IsBackground = true, Name = "events" };
        thread.Start();
    }

    /// <summary>How many of these calls an event told of.</summary>
    public int CountOf(IEnumerable<Guid> calls) => calls.Count(seen.ContainsKey);

    public void Dispose()
    {
        ending.Cancel();
        thread.Join();
        ending.Dispose();
    }

    private void Follow(string brokers)
    {
        using var consumer = new ConsumerBuilder<string, Ignore>(new ConsumerConfig
        {
            BootstrapServers = brokers,
            GroupId = "fault-matrix",
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoCommit = false,
            TopicMetadataRefreshIntervalMs = 2_000,
        }).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        consumer.Subscribe(Topic);
        while (!ending.IsCancellationRequested)
        {
            try
            {
                if (consumer.Consume(TimeSpan.FromMilliseconds(200)) is { Message.Key: { } key })
                {
                    seen[Guid.Parse(key)] = true;
                }
            }
            catch (ConsumeException)
            {
                // The topic is not there yet, or the broker is away: the client goes on by itself.
            }
        }
    }
}
