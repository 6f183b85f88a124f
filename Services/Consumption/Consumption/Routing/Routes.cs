using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Catalogue;

namespace LlmMarketplace.Consumption.Routing;

/// <summary>An address of a version, and what is known of it.</summary>
internal sealed record Route(ListedEndpoint Endpoint, EndpointHealth Health);

/// <summary>
/// In which order the addresses of a version are tried. First by chance, each in proportion to its weight and to how fast it answers (half as fast: a quarter as
/// often); then the others in the same way. Addresses that are not to be asked now are left out; those of weight 0 come last.
/// </summary>
internal sealed class Routes(TimeProvider time)
{
    private readonly ConcurrentDictionary<(Guid Version, string Endpoint), EndpointHealth> healths = new();

    /// <summary>What is known of an address; kept while the process lives, whatever else changes in the catalogue.</summary>
    public EndpointHealth HealthOf(ListedVersion version, ListedEndpoint endpoint) =>
        healths.TryGetValue((version.Id, endpoint.Name), out var known) ? known : healths.GetOrAdd((version.Id, endpoint.Name), static (_, clock) => new EndpointHealth(clock), time);

    /// <summary>The addresses to try, best first; none when all are closed. Then <paramref name="wait"/> says for how long.</summary>
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
            var closed = health.ClosedFor;
            if (closed == TimeSpan.Zero)
            {
                open.Add(new Route(endpoint, health));
            }
            else if (wait == TimeSpan.Zero || closed < wait)
            {
                (wait, busy) = (closed, health.IsBusy);
            }
        }

        return open.Count < 2 ? open : Shuffle(open);
    }

    /// <summary>Weighted sampling without replacement (Efraimidis and Spirakis, 2006): sorted by u^(1/w).</summary>
    private static List<Route> Shuffle(List<Route> routes)
    {
        var fastest = routes.Min(route => route.Health.LatencyMs);
        return [.. routes.OrderByDescending(route => route.Endpoint.Weight == 0 ? -1 : Math.Pow(Random.Shared.NextDouble(), 1 / Weight(route, fastest)))];
    }

    private static double Weight(Route route, double fastest)
    {
        var ratio = route.Health.LatencyMs > 0 ? Math.Max(fastest, 1) / Math.Max(route.Health.LatencyMs, 1) : 1; // Not known yet: as fast as any, so that it becomes known.
        return route.Endpoint.Weight * ratio * ratio;
    }
}
