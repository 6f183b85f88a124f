namespace LlmMarketplace.AllInOne;

/// <summary>Every service, in the order of their start.</summary>
internal static class Services
{
    public const string Gateway = "gateway";

    public static IReadOnlyList<ServiceDefinition> All { get; } =
    [
    ];

    public static IEnumerable<string> Databases => All.Select(service => service.Database).OfType<string>();
}
