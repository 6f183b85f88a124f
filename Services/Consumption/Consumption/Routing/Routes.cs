using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Catalogue;

namespace LlmMarketplace.Consumption.Routing;

/// <summary>A way to call a version: an address with one of its credentials, and what is known of both.</summary>
/// <param name="Endpoint">The address.</param>
/// <param name="Credential">What it is shown; null: it takes none.</param>
/// <param name="Health">Of the address.</param>
/// <param name="CredentialHealth">Of the credential at this address.</param>
internal sealed record Route(ListedEndpoint Endpoint, ListedCredential? Credential, EndpointHealth Health, CredentialHealth CredentialHealth);

/// <summary>
/// In which order the ways to a version are tried. The addresses first by chance, each in proportion to its weight and to how fast it answers (half as fast: a quarter as
/// often); then the others in the same way; the credentials of each by chance. Addresses that are not to be asked now, and credentials that the provider wants to be spared, are left out;
/// addresses of weight 0 come late, credentials that were refused last.
/// </summary>
internal sealed class Routes(TimeProvider time)
{
    private readonly ConcurrentDictionary<(Guid Version, string Endpoint), EndpointHealth> healths = new();
    private readonly ConcurrentDictionary<(Guid Version, string Endpoint, string Credential), CredentialHealth> credentials = new();

    /// <summary>What is known of an address; kept while the process lives, whatever else changes in the catalogue.</summary>
    public EndpointHealth HealthOf(ListedVersion version, ListedEndpoint endpoint) =>
        healths.TryGetValue((version.Id, endpoint.Name), out var known) ? known : healths.GetOrAdd((version.Id, endpoint.Name), static (_, clock) => new EndpointHealth(clock), time);

    /// <summary>What is known of a credential, or of calling without one, at an address.</summary>
    public CredentialHealth HealthOf(ListedVersion version, ListedEndpoint endpoint, ListedCredential? credential)
    {
        var key = (version.Id, endpoint.Name, credential?.Id ?? "");
        return credentials.TryGetValue(key, out var known) ? known : credentials.GetOrAdd(key, static (_, clock) => new CredentialHealth(clock), time);
    }

    /// <summary>The ways to try, best first; none when all are closed. Then <paramref name="wait"/> says for how long.</summary>
    /// <param name="version">The version to call.</param>
    /// <param name="residency">Country codes that the caller admits; null: all.</param>
    /// <param name="wait">How long all of them are closed, at least.</param>
    /// <param name="busy">Whether that is because the provider asked for it.</param>
    public IReadOnlyList<Route> Choose(ListedVersion version, IReadOnlyCollection<string>? residency, out TimeSpan wait, out bool busy)
    {
        (wait, busy) = (TimeSpan.Zero, false);
        var open = new List<Route>(version.Endpoints.Count);
        foreach (var endpoint in version.Endpoints)
        {
            if (residency is not null && !(endpoint.Residency is { } country && residency.Contains(country)))
            {
                continue;
            }

            var health = HealthOf(version, endpoint);
            if (health.ClosedFor is var closed && closed > TimeSpan.Zero)
            {
                IsClosed(closed, false, ref wait, ref busy);
                continue;
            }

            for (var at = 0; at < Math.Max(1, endpoint.Credentials.Count); at++)
            {
                var credential = endpoint.Credentials.Count == 0 ? null : endpoint.Credentials[at];
                var taken = HealthOf(version, endpoint, credential);
                if (taken.BusyFor is var spared && spared > TimeSpan.Zero)
                {
                    IsClosed(spared, true, ref wait, ref busy);
                    continue;
                }

                open.Add(new Route(endpoint, credential, health, taken));
            }
        }

        return open.Count < 2 ? open : Order(open);
    }

    private static void IsClosed(TimeSpan closed, bool byProvider, ref TimeSpan wait, ref bool busy)
    {
        if (wait == TimeSpan.Zero || closed < wait)
        {
            (wait, busy) = (closed, byProvider);
        }
    }

    /// <summary>Weighted sampling without replacement (Efraimidis and Spirakis, 2006) of the addresses: sorted by u^(1/w).</summary>
    private static List<Route> Order(List<Route> routes)
    {
        var fastest = routes.Min(route => route.Health.LatencyMs);
        return
        [
            .. routes.GroupBy(route => route.Endpoint)
                .OrderByDescending(address => address.Key.Weight == 0 ? -1 : Math.Pow(Random.Shared.NextDouble(), 1 / Weight(address.First(), fastest)))
                .SelectMany(address => address.Shuffle())
                .OrderBy(route => route.CredentialHealth.IsAside),
        ];
    }

    private static double Weight(Route route, double fastest)
    {
        var ratio = route.Health.LatencyMs > 0 ? Math.Max(fastest, 1) / Math.Max(route.Health.LatencyMs, 1) : 1; // Not known yet: as fast as any, so that it becomes known.
        return route.Endpoint.Weight * ratio * ratio;
    }
}
