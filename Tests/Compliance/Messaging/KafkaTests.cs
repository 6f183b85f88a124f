using LlmMarketplace.Servers;

namespace LlmMarketplace.Compliance.Messaging;

public sealed class KafkaTests(PostgresServer postgres, KafkaServer kafka) : MessagingCompliance(postgres)
{
    protected override async Task<Dictionary<string, string?>> TransportAsync()
    {
        Assert.SkipWhen(KafkaServer.SkipReason is not null, KafkaServer.SkipReason ?? "");
        return new()
        {
            ["Messaging:Transport"] = "Kafka",
            ["Messaging:Kafka:SessionTimeout"] = "00:00:06",
            ["ConnectionStrings:kafka"] = await kafka.StartAsync(),
        };
    }
}
