using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>
/// How the marketplace connects to providers: names are resolved here and every address is checked at connect time (a name that was
/// harmless at validation may lead elsewhere now: DNS rebinding); no proxy, no redirects, no cookies, no automatic decompression.
/// A local provider is connected to at the operator's address, whoever asks: whether the listing's organisation owns it
/// (<see cref="LocalProviders.Find(Uri, string)"/>) is decided before the call, because connections are shared.
/// </summary>
public sealed class ProviderConnections(LocalProviders localProviders, HostAddresses hostAddresses)
{
    /// <summary>The same, with the system's resolver.</summary>
    public ProviderConnections(LocalProviders localProviders)
        : this(localProviders, new HostAddresses(Dns.GetHostAddressesAsync))
    {
    }

    /// <summary>A handler for calls to providers; the caller owns it. Throws <see cref="ForbiddenEndpointException"/> (as inner exception of the request's) when an address is forbidden.</summary>
    /// <param name="connectTimeout">Longest time to a connection.</param>
    public SocketsHttpHandler CreateHandler(TimeSpan connectTimeout) => new()
    {
        UseProxy = false,
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = connectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        EnableMultipleHttp2Connections = true,
        ActivityHeadersPropagator = null,
        ConnectCallback = ConnectAsync,
    };

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var target = context.DnsEndPoint;
        if (LocalProviders.IsLocalName(target.Host))
        {
            var local = localProviders.Find(new UriBuilder(Uri.UriSchemeHttp, target.Host, target.Port).Uri)?.Address
                ?? throw new ForbiddenEndpointException($"{target.Host}:{target.Port} is not a local provider that the operator has named.");
            return await ConnectAsync(await hostAddresses.OfAsync(local.DnsSafeHost, cancellationToken).ConfigureAwait(false), local.Port, cancellationToken).ConfigureAwait(false);
        }

        var addresses = await hostAddresses.OfAsync(target.Host, cancellationToken).ConfigureAwait(false);
        if (addresses.FirstOrDefault(ForbiddenAddresses.IsForbidden) is { } forbidden)
        {
            throw new ForbiddenEndpointException($"{target.Host} leads to {forbidden}, an address that is not publicly reachable.");
        }

        // Connects to the addresses that were checked, never to the name again.
        return await ConnectAsync(addresses, target.Port, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<Stream> ConnectAsync(IPAddress[] addresses, int port, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>An endpoint leads to an address that no listing may lead to.</summary>
public sealed class ForbiddenEndpointException(string message) : IOException(message);
