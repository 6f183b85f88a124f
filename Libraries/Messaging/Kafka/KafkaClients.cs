using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Messaging.Kafka;

/// <summary>Makes the Kafka clients. The relay and the consumer each own what they get and make it anew after a fatal error.</summary>
public interface IKafkaClients
{
    /// <summary>A producer with these settings, which guarantee order; the implementation adds where the broker is and how to sign in.</summary>
    IProducer<string, byte[]> CreateProducer(ProducerConfig settings);

    /// <summary>A consumer with these settings and handlers; the implementation adds where the broker is and how to sign in.</summary>
    IConsumer<string, byte[]> CreateConsumer(ConsumerConfig settings, Action<ConsumerBuilder<string, byte[]>> handlers);
}

/// <summary>Plain clients of <c>ConnectionStrings:kafka</c> (the value of <c>bootstrap.servers</c>).</summary>
internal sealed partial class KafkaClients(IConfiguration configuration, ILogger<KafkaClients> logger) : IKafkaClients
{
    public IProducer<string, byte[]> CreateProducer(ProducerConfig settings) =>
        new ProducerBuilder<string, byte[]>(Address(settings)).SetLogHandler((_, line) => Log.Client(logger, line.Name, line.Facility, line.Message)).Build();

    public IConsumer<string, byte[]> CreateConsumer(ConsumerConfig settings, Action<ConsumerBuilder<string, byte[]>> handlers)
    {
        var builder = new ConsumerBuilder<string, byte[]>(Address(settings)).SetLogHandler((_, line) => Log.Client(logger, line.Name, line.Facility, line.Message));
        handlers(builder);
        return builder.Build();
    }

    private T Address<T>(T settings)
        where T : ClientConfig
    {
        settings.BootstrapServers = configuration.GetConnectionString("kafka") is { Length: > 0 } found
            ? found
            : throw new InvalidOperationException("ConnectionStrings:kafka is not set, and Messaging:Transport is Kafka. Set it to host:port of the brokers, for instance by the environment variable ConnectionStrings__kafka.");
        return settings;
    }

    private static partial class Log
    {
        // What matters of it reaches the relay and the consumer as an error, and is told by them.
        [LoggerMessage(3061, LogLevel.Debug, "{Client} {Facility}: {Line}")]
        public static partial void Client(ILogger logger, string client, string facility, string line);
    }
}
