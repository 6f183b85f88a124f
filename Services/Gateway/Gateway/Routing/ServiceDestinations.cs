using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.ServiceDiscovery;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>Finds out where <c>http://{service}</c> is, as every other client in the marketplace does: <c>services:{service}:http:0</c>, or the name itself where a network knows it.</summary>
internal sealed class ServiceDestinations(ServiceEndpointResolver resolver) : IDestinationResolver
{
    public async ValueTask<ResolvedDestinationCollection> ResolveDestinationsAsync(IReadOnlyDictionary<string, DestinationConfig> destinations, CancellationToken cancellationToken)
    {
        var resolved = new Dictionary<string, DestinationConfig>();
        var changes = new List<IChangeToken>();
        foreach (var (name, destination) in destinations)
        {
            var found = await resolver.GetEndpointsAsync(destination.Address, cancellationToken).ConfigureAwait(false);
            changes.Add(found.ChangeToken);
            foreach (var endpoint in found.Endpoints)
            {
                var address = endpoint.EndPoint is UriEndPoint { Uri: var uri } ? uri.AbsoluteUri : $"http://{endpoint.EndPoint}";
                resolved[$"{name} {address}"] = destination with { Address = address };
            }
        }

        return new ResolvedDestinationCollection(resolved, new CompositeChangeToken(changes));
    }
}
