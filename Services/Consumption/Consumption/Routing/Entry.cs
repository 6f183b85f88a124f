namespace LlmMarketplace.Consumption.Routing;

/// <summary>
/// A call's leave to go a way now. Of an address that was closed, and of a credential that was set aside, it is the one try: taken when the way is chosen, so that no two calls choose the same try,
/// and given back when the call does not come to it.
/// </summary>
/// <param name="Route">The way.</param>
/// <param name="AddressTry">See <see cref="EndpointHealth.TryEnter(out long)"/>.</param>
/// <param name="CredentialTry">See <see cref="CredentialHealth.TryEnter(out long)"/>.</param>
internal readonly record struct Entry(Route Route, long AddressTry, long CredentialTry)
{
    /// <summary>Whether no other call may go this way meanwhile.</summary>
    public bool IsTry => AddressTry != 0 || CredentialTry != 0;

    /// <summary>The first way that lets a call in.</summary>
    public static Entry? First(IReadOnlyList<Route> routes)
    {
        for (var at = 0; at < routes.Count; at++)
        {
            var route = routes[at];
            if (!route.CredentialHealth.TryEnter(out var credential))
            {
                continue;
            }

            if (route.Health.TryEnter(out var address))
            {
                return new Entry(route, address, credential);
            }

            new Entry(route, 0, credential).GiveBack();
        }

        return null;
    }

    /// <summary>A way whose credential was refused a short time ago: it may have been a call's fault, not the credential's.</summary>
    /// <param name="routes">The ways, best first.</param>
    /// <param name="tried">Those that the call has gone already.</param>
    public static Entry? LastResort(IReadOnlyList<Route> routes, IReadOnlyCollection<Route> tried)
    {
        foreach (var route in routes)
        {
            if (route.CredentialHealth.IsAside && route.CredentialHealth.BusyFor == TimeSpan.Zero && !tried.Contains(route) && route.Health.TryEnter(out var address))
            {
                return new Entry(route, address, 0);
            }
        }

        return null;
    }

    public void GiveBack()
    {
        if (CredentialTry != 0)
        {
            Route.CredentialHealth.GiveBack(CredentialTry);
        }

        Route.Health.GiveBack(AddressTry);
    }
}
