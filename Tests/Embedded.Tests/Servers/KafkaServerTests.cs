using Confluent.Kafka;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Embedded.Tests.Servers;

public sealed class KafkaServerTests(KafkaServer kafka)
{
    [Fact]
    public async Task What_was_acknowledged_survives_killing_the_broker()
    {
        Assert.SkipWhen(KafkaServer.SkipReason is not null, KafkaServer.SkipReason ?? "");
        var bootstrap = await kafka.StartAsync();
        var topic = $"kept-{Guid.CreateVersion7():N}";
        using (var producer = new ProducerBuilder<Null, string>(new ProducerConfig { BootstrapServers = bootstrap, Acks = Acks.All }).Build())
        {
            await producer.ProduceAsync(topic, new() { Value = "still here" }, TestContext.Current.CancellationToken);
        }

        await kafka.StopAsync(kill: true);
        Assert.Equal(bootstrap, await kafka.StartAsync());

        using var consumer = new ConsumerBuilder<Ignore, string>(new ConsumerConfig { BootstrapServers = bootstrap, GroupId = topic }).Build();
        consumer.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(3));
        Assert.Equal("still here", consumer.Consume(patience.Token).Message.Value);
    }
}
