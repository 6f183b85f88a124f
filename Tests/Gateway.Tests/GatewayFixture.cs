using LlmMarketplace.Gateway.Tests;

[assembly: AssemblyFixture(typeof(GatewayFixture))]

namespace LlmMarketplace.Gateway.Tests;

/// <summary>One gateway with usual settings for all tests that change nothing about it.</summary>
public sealed class GatewayFixture : IAsyncLifetime
{
    public StartedGateway Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Gateway = await StartedGateway.StartAsync(new() { ["Gateway:AnonymousLimit:Burst"] = "10000" });

    public ValueTask DisposeAsync() => Gateway.DisposeAsync();
}
