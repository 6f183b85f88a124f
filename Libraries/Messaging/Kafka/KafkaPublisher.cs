using System.Buffers;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using LlmMarketplace.Messaging.Feed;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Messaging.Kafka;

/// <summary>
/// The relay's second step: sends what has a sequence, in its order, and stores how far the brokers acknowledged.
/// <list type="number">
/// <item>The producer is idempotent with one request in flight, never gives a message up, and fails for good rather than leave a gap: a partition holds no event before its predecessors.</item>
/// <item>After any failure everything since the last stored acknowledgement is sent again, by a new producer.</item>
/// </list>
/// </summary>
internal sealed partial class KafkaPublisher(IKafkaClients clients, ServiceIdentity service, IOptions<MessagingOptions> options, MessagingHealth health, TimeProvider time, ILogger<KafkaPublisher> logger)
    : IDisposable
{
    private const string Part = "kafka";
    private const int MaxMessageBytes = Outbox.MaxBytes + (64 * 1024);
    private static readonly TimeSpan AdminTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private IProducer<string, byte[]>? producer;

    public async Task PrepareAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        Dispose();
        producer = clients.CreateProducer(new ProducerConfig
        {
            ClientId = service.Name,
            EnableIdempotence = true,
            Acks = Acks.All,
            MaxInFlight = 1,
            MessageTimeoutMs = 0,
            EnableGaplessGuarantee = true,
            Partitioner = Partitioner.Murmur2Random,
            MessageMaxBytes = MaxMessageBytes,
            CompressionType = CompressionType.Lz4,
            LingerMs = 2,
        });
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        foreach (var (topic, kind) in await TopicsAsync(relay, cancellationToken).ConfigureAwait(false))
        {
            await CreateAsync(admin, topic, kind).WaitAsync(cancellationToken).ConfigureAwait(false);
            if (await IsEmptyAsync(admin, topic, cancellationToken).ConfigureAwait(false))
            {
                // New, or lost with its cluster: send what the outbox still has. Consumers drop what they know.
                await ExecuteAsync(relay, "UPDATE messaging.topics SET published_sequence = 0 WHERE topic = $1", topic, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async Task PublishAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        while (await ReadAsync(relay, cancellationToken).ConfigureAwait(false) is { Count: > 0 } events)
        {
            var acknowledged = Task.WhenAll(events.Select(e => SendAsync(e.Topic, e.Event)));
            await WaitAsync(acknowledged, cancellationToken).ConfigureAwait(false);
            foreach (var topic in events.GroupBy(e => e.Topic))
            {
                await ExecuteAsync(
                    relay,
                    $"UPDATE messaging.topics SET published_sequence = {topic.Max(e => e.Event.Sequence)} WHERE topic = $1",
                    topic.Key,
                    cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public void Dispose()
    {
        producer?.Dispose();
        producer = null;
    }

    private async Task WaitAsync(Task acknowledged, CancellationToken cancellationToken)
    {
        try
        {
            await acknowledged.WaitAsync(Patience, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            health.Waits(Part, "the brokers do not acknowledge events.");
            Log.Waits(logger);
            await acknowledged.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        health.Works(Part);
    }

    private Task SendAsync(string topic, Envelope e)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json))
        {
            CloudEventJson.Write(writer, service.Name, e);
        }

        var acknowledged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var message = new Message<string, byte[]>
        {
            Key = e.Key.ToString(),
            Value = json.WrittenMemory.ToArray(),
            Headers = new Headers { { "content-type", Encoding.UTF8.GetBytes(CloudEventJson.ContentType) } },
        };
        producer!.Produce(topic, message, report =>
        {
            if (report.Error.IsError)
            {
                acknowledged.SetException(new KafkaException(report.Error));
            }
            else
            {
                acknowledged.SetResult();
            }
        });
        return acknowledged.Task;
    }

    private async Task<List<(string Topic, Envelope Event)>> ReadAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            """
            SELECT o.id, o.type, o.key, o.time, o.aggregate_version, o.sequence, o.traceparent, o.data, o.topic
            FROM messaging.topics t CROSS JOIN LATERAL (
                SELECT * FROM messaging.outbox r WHERE r.topic = t.topic AND r.sequence > t.published_sequence ORDER BY r.sequence LIMIT $1) o
            ORDER BY o.topic, o.sequence
            """,
            relay)
        {
            Parameters = { new() { Value = options.Value.BatchSize } },
        };
        var events = new List<(string, Envelope)>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            events.Add((row.GetString(8), ReadFeed.ReadRow(row)));
        }

        return events;
    }

    private async Task CreateAsync(IAdminClient admin, string topic, TopicKind kind)
    {
        var partitions = options.Value.Kafka.Partitions;
        try
        {
            await admin.CreateTopicsAsync(
                [
                    new TopicSpecification
                    {
                        Name = topic,
                        NumPartitions = partitions,
                        ReplicationFactor = options.Value.Kafka.ReplicationFactor,
                        Configs = new()
                        {
                            ["cleanup.policy"] = kind == TopicKind.State ? "compact" : "delete",
                            ["retention.ms"] = kind == TopicKind.State ? "-1" : options.Value.Retention.TotalMilliseconds.ToString("F0", System.Globalization.CultureInfo.InvariantCulture),
                            ["max.message.bytes"] = MaxMessageBytes.ToString(System.Globalization.CultureInfo.InvariantCulture),
                        },
                    },
                ],
                new() { RequestTimeout = AdminTimeout, OperationTimeout = AdminTimeout }).ConfigureAwait(false);
        }
        catch (CreateTopicsException exists) when (exists.Results.TrueForAll(result => result.Error.Code is ErrorCode.TopicAlreadyExists or ErrorCode.NoError))
        {
            var found = admin.GetMetadata(topic, AdminTimeout).Topics.Single().Partitions.Count;
            if (found > 0 && found != partitions)
            {
                throw new InvalidOperationException($"The topic {topic} has {found} partitions, and Messaging:Kafka:Partitions is {partitions}: keys would move. Set it to {found}.");
            }
        }
    }

    private async Task<bool> IsEmptyAsync(IAdminClient admin, string topic, CancellationToken cancellationToken)
    {
        var asked = Enumerable.Range(0, options.Value.Kafka.Partitions)
            .Select(partition => new TopicPartitionOffsetSpec { TopicPartition = new(topic, partition), OffsetSpec = OffsetSpec.Latest() })
            .ToList();
        for (var from = time.GetTimestamp(); ;)
        {
            try
            {
                var latest = await admin.ListOffsetsAsync(asked, new() { RequestTimeout = AdminTimeout }).WaitAsync(cancellationToken).ConfigureAwait(false);
                return latest.ResultInfos.TrueForAll(info => info.TopicPartitionOffsetError is { Error.IsError: false, Offset.Value: 0 });
            }
            catch (ListOffsetsException) when (time.GetElapsedTime(from) < AdminTimeout)
            {
                // A new topic has no leaders for a moment.
                await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task<List<(string Topic, TopicKind Kind)>> TopicsAsync(NpgsqlConnection relay, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT topic, kind FROM messaging.topics ORDER BY topic", relay);
        await using var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var topics = new List<(string, TopicKind)>();
        while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            topics.Add((row.GetString(0), Enum.Parse<TopicKind>(row.GetString(1))));
        }

        return topics;
    }

    private static async Task ExecuteAsync(NpgsqlConnection relay, string sql, string topic, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, relay) { Parameters = { new() { Value = topic } } };
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private static partial class Log
    {
        [LoggerMessage(3041, LogLevel.Warning, "Kafka does not acknowledge events; they are sent until it does.")]
        public static partial void Waits(ILogger logger);
    }
}
