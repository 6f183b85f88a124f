using Confluent.Kafka;
using LlmMarketplace.Messaging.Consuming;

namespace LlmMarketplace.Messaging.Kafka;

/// <summary>One membership, from subscribing to leaving.</summary>
internal sealed class KafkaMember : IDisposable
{
    public const string Part = "kafka consumer";
    private const string Name = "kafka";
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Quick = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Probe = TimeSpan.FromSeconds(2);
    private readonly int batchSize;
    private readonly MessagingHealth health;
    private readonly IEventApplier applier;
    private readonly CancellationToken cancellation;
    private readonly IConsumer<string, byte[]> consumer;
    private readonly Dictionary<TopicPartition, Assigned> assigned = [];
    private readonly Queue<ConsumeResult<string, byte[]>> early = new();
    private volatile string? away;

    public KafkaMember(IKafkaClients clients, ConsumerConfig settings, int batchSize, IEventApplier applier, MessagingHealth health, CancellationToken cancellation)
    {
        (this.batchSize, this.applier, this.health, this.cancellation) = (batchSize, applier, health, cancellation);
        consumer = clients.CreateConsumer(settings, builder => builder
            .SetPartitionsAssignedHandler((_, partitions) => partitions.Select(Start).ToList())
            .SetPartitionsRevokedHandler((_, partitions) => partitions.ForEach(partition => assigned.Remove(partition.TopicPartition)))
            .SetPartitionsLostHandler((_, partitions) => partitions.ForEach(partition => assigned.Remove(partition.TopicPartition)))
            .SetErrorHandler((_, error) => away = error.Code == ErrorCode.Local_AllBrokersDown ? error.Reason : away));
    }

    public void Run(IEnumerable<string> topics, Backoff backoff)
    {
        consumer.Subscribe(topics);
        health.Works(Part);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var partition in Take().GroupBy(result => result.TopicPartition))
            {
                Apply(partition.Key, [.. partition.Select(result => new ReceivedEvent(result.Offset.Value + 1, result.Message.Value ?? []))]);
                backoff.Reset();
            }

            TellHealth();
        }
    }

    /// <summary>Leaves the group, so that others need not wait for the session to lapse.</summary>
    public void Dispose()
    {
        try
        {
            consumer.Close();
        }
        catch (KafkaException)
        {
            // It could not say goodbye: the session lapses.
        }

        consumer.Dispose();
    }

    private TopicPartitionOffset Start(TopicPartition partition)
    {
        var position = applier.StartAsync(Source(partition), cancellation).GetAwaiter().GetResult();
        assigned[partition] = new Assigned(position);
        return new TopicPartitionOffset(partition, position.Next);
    }

    private List<ConsumeResult<string, byte[]>> Take()
    {
        var taken = new List<ConsumeResult<string, byte[]>>(early);
        early.Clear();
        for (var wait = Poll; taken.Count < batchSize && Consume(wait) is { } result; wait = TimeSpan.Zero)
        {
            taken.Add(result);
        }

        return taken;
    }

    private ConsumeResult<string, byte[]>? Consume(TimeSpan wait)
    {
        try
        {
            return consumer.Consume(wait);
        }
        catch (ConsumeException notYet) when (notYet.Error is { IsFatal: false, Code: ErrorCode.UnknownTopicOrPart })
        {
            away = notYet.Error.Reason;
            return null;
        }
    }

    private void Apply(TopicPartition partition, List<ReceivedEvent> events)
    {
        if (!assigned.TryGetValue(partition, out var ours))
        {
            return; // Revoked since it was read.
        }

        try
        {
            var applied = Keep(applier.ApplyAsync(Source(partition), ours.Position, events, cancellation));
            ours.Position = applied;
        }
        catch (FencedException)
        {
            if (assigned.ContainsKey(partition))
            {
                consumer.Seek(Start(partition));
            }
        }
    }

    /// <summary>Waits for the application; when it takes its time, stays a member of the group by polling, with all partitions paused.</summary>
    private Position Keep(Task<Position> application)
    {
        if (!Within(application, Quick))
        {
            consumer.Pause(consumer.Assignment);
            while (!Within(application, TimeSpan.Zero))
            {
                if (Consume(Poll) is { } result)
                {
                    early.Enqueue(result); // Of a partition that was assigned meanwhile.
                }
            }

            consumer.Resume(consumer.Assignment);
        }

        return application.GetAwaiter().GetResult();
    }

    private static bool Within(Task application, TimeSpan time) => Task.WhenAny(application, Task.Delay(time)).GetAwaiter().GetResult() == application;

    private void TellHealth()
    {
        if (away is not { } why)
        {
            return;
        }

        try
        {
            consumer.QueryWatermarkOffsets(assigned.Keys.FirstOrDefault() ?? throw new KafkaException(ErrorCode.Local_NoOffset), Probe);
            away = null;
            health.Works(Part);
        }
        catch (KafkaException)
        {
            health.Waits(Part, why);
        }
    }

    private static EventSource Source(TopicPartition partition) => new(Name, partition.Topic, partition.Partition.Value);

    /// <summary>A partition while it is ours. Given back and assigned again it is another one.</summary>
    private sealed class Assigned(Position position)
    {
        public Position Position { get; set; } = position;
    }
}
