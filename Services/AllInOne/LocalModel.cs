using LlmMarketplace.LocalProvider;

namespace LlmMarketplace.AllInOne;

/// <summary>The provider that every new marketplace has: a real embedding model on this machine, as foreign to the marketplace as any other.</summary>
internal static class LocalModel
{
    /// <summary>Its endpoint is <c>http://embedding.local/…</c>, which only this configuration makes mean anything.</summary>
    public const string Name = "embedding";

    /// <summary>The slug of the organisation that publishes it.</summary>
    public const string Organisation = "local-models";

    public static async Task<InnerApplication> StartAsync(LoopbackListener listener, KeyRing keys, ProcessLog log, CancellationToken cancellation)
    {
        var builder = InnerApplication.CreateBuilder(Name, "LlmMarketplace.LocalProvider", [new("LocalProvider:ApiKey", keys.LocalProvider)], log, listener.HandOver);
        var app = new InnerApplication(Name, LocalProviderApp.Build(builder), listener.Address);
        await app.StartAsync(cancellation);
        await app.UntilReadyAsync("/health", cancellation);
        return app;
    }
}
