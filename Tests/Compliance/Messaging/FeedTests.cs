using LlmMarketplace.Servers;

namespace LlmMarketplace.Compliance.Messaging;

public sealed class FeedTests(PostgresServer postgres) : MessagingCompliance(postgres)
{
    protected override Task<Dictionary<string, string?>> TransportAsync() => Task.FromResult(new Dictionary<string, string?> { ["Messaging:Transport"] = "Feed" });
}
