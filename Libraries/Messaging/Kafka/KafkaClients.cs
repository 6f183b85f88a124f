using Confluent.Kafka;
using Microsoft.Extensions.Configuration;

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
internal sealed class KafkaClients(IConfiguration configuration) : IKafkaClients
{
    public IProducer<string, byte[]> CreateProducer(ProducerConfig settings) => new ProducerBuilder<string, byte[]>(Address(settings)).Build();

    public IConsumer<string, byte[]> CreateConsumer(ConsumerConfig settings, Action<ConsumerBuilder<string, byte[]>> handlers)
    {
        var builder = new ConsumerBuilder<string, byte[]>(Address(settings));
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
}
