using System.Net;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>START HERE. Where providers may be, and how the marketplace connects to them.</summary>
public static class ProviderNetworkService
{
    /// <summary>Registers <see cref="LocalProviders"/>, <see cref="EndpointGuard"/> and <see cref="ProviderConnections"/>; a wrong <c>Providers:Local</c> stops the start.</summary>
    public static void AddProviderNetwork(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.TryAddSingleton(new HostAddresses(Dns.GetHostAddressesAsync));
        builder.Services.TryAddSingleton(new LocalProviders(builder.Configuration));
        builder.Services.TryAddSingleton<EndpointGuard>();
        builder.Services.TryAddSingleton<ProviderConnections>();
    }
}

/// <summary>The addresses of a name. The system's resolver, unless a test stands in for a hostile one.</summary>
/// <param name="Resolve">Looks a name up; throws <see cref="System.Net.Sockets.SocketException"/> when it leads nowhere.</param>
public sealed record HostAddresses(Func<string, CancellationToken, Task<IPAddress[]>> Resolve)
{
    /// <summary>The addresses of a name or of a literal address.</summary>
    public async Task<IPAddress[]> OfAsync(string host, CancellationToken cancellationToken) =>
        IPAddress.TryParse(host, out var literal) ? [literal] : await Resolve(host, cancellationToken).ConfigureAwait(false);
}
