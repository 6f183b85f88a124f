using LlmMarketplace.Discovery;
using LlmMarketplace.Identity;
using LlmMarketplace.Publishing;

namespace LlmMarketplace.AllInOne;

/// <summary>Every service, in the order of their start.</summary>
internal static class Services
{
    public const string Gateway = "gateway";

    public static IReadOnlyList<ServiceDefinition> All { get; } =
    [
        new("identity", builder => builder.AddIdentity(), app => app.MapIdentity(), "identity"),
        new("publishing", builder => builder.AddPublishing(), app => app.MapPublishing(), "publishing"),
        new("discovery", builder => builder.AddDiscovery(), app => app.MapDiscovery(), "discovery"),
    ];

    public static IEnumerable<string> Databases => All.Select(service => service.Database).OfType<string>();
}
