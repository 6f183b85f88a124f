using System.Net.Sockets;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>
/// Says before any connection whether an endpoint may be listed (server-side request forgery: a listing makes the marketplace call an address
/// of the provider's choice). <see cref="ProviderConnections"/> looks again at connect time, for names may lead elsewhere by then.
/// </summary>
public sealed class EndpointGuard(LocalProviders localProviders, HostAddresses hostAddresses)
{
    private static readonly string[] NeverPublic = ["localhost", "internal", "localdomain", "home.arpa"];

    /// <summary>Whether <paramref name="endpoint"/> may be listed by the organisation.</summary>
    /// <param name="endpoint">An absolute address.</param>
    /// <param name="organisationSlug">The provider's organisation.</param>
    /// <param name="cancellationToken">Ends the look-up of the name.</param>
    public async Task<EndpointVerdict> CheckAsync(Uri endpoint, string organisationSlug, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (localProviders.Find(endpoint, organisationSlug) is not null)
        {
            return new EndpointVerdict(EndpointKind.LocalProvider, null);
        }

        var host = endpoint.DnsSafeHost.TrimEnd('.');
        if (LocalProviders.IsLocalName(host))
        {
            return Forbidden($"{host} is not a local provider of your organisation: only the operator names those.");
        }

        if (NeverPublic.Any(name => host.Equals(name, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + name, StringComparison.OrdinalIgnoreCase)))
        {
            return Forbidden($"{host} is a name of private networks.");
        }

        try
        {
            var addresses = await hostAddresses.OfAsync(host, cancellationToken).ConfigureAwait(false);
            return addresses.FirstOrDefault(ForbiddenAddresses.IsForbidden) is { } forbidden
                ? Forbidden(forbidden.ToString() == host ? $"{host} is not publicly reachable." : $"{host} leads to {forbidden}, which is not publicly reachable.")
                : new EndpointVerdict(EndpointKind.Public, null);
        }
        catch (SocketException unknown) when (unknown.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery)
        {
            // Whether it can be reached is not this question; and when it leads somewhere one day, connections are checked again.
            return new EndpointVerdict(EndpointKind.Unresolved, $"{host} leads nowhere at present.");
        }
    }

    /// <summary>
    /// Whether access tokens may be fetched at an address that a provider's credential names: Google's own servers, or a local provider of the organisation.
    /// What is sent there is signed with the provider's key, and where it is sent is the provider's choice.
    /// </summary>
    /// <param name="address">An absolute address.</param>
    /// <param name="organisationSlug">The provider's organisation.</param>
    public bool AdmitsTokenServer(Uri address, string organisationSlug)
    {
        ArgumentNullException.ThrowIfNull(address);
        return localProviders.Find(address, organisationSlug) is not null
            || (address.Scheme == Uri.UriSchemeHttps && address.IsDefaultPort && address.UserInfo.Length == 0
                && (address.Host is "accounts.google.com" or "www.googleapis.com" or "oauth2.googleapis.com" || address.Host.EndsWith(".googleapis.com", StringComparison.Ordinal)));
    }

    private static EndpointVerdict Forbidden(string reason) => new(EndpointKind.Forbidden, reason);
}

/// <summary>What <see cref="EndpointGuard"/> found.</summary>
/// <param name="Kind">Where the endpoint is.</param>
/// <param name="Reason">Why it is forbidden or unresolved; else null.</param>
public sealed record EndpointVerdict(EndpointKind Kind, string? Reason);

/// <summary>Where an endpoint is.</summary>
public enum EndpointKind
{
    /// <summary>At public addresses.</summary>
    Public,

    /// <summary>Its name leads nowhere at present.</summary>
    Unresolved,

    /// <summary>A local provider of the same organisation.</summary>
    LocalProvider,

    /// <summary>Where no listing may lead.</summary>
    Forbidden,
}
