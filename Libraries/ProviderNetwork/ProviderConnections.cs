using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.ProviderNetwork;

/// <summary>
/// How the marketplace connects to providers: names are resolved here and every address is checked at connect time (a name that was
/// harmless at validation may lead elsewhere now: DNS rebinding); no proxy, no redirects, no cookies, no automatic decompression.
/// </summary>
public sealed class ProviderConnections(LocalProviders localProviders)
{
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
        if (localProviders.Find(new UriBuilder(Uri.UriSchemeHttp, target.Host, target.Port).Uri)?.Address is { } local)
        {
            return await ConnectAsync(await ResolveAsync(local.DnsSafeHost, cancellationToken).ConfigureAwait(false), local.Port, cancellationToken).ConfigureAwait(false);
        }

        var addresses = await ResolveAsync(target.Host, cancellationToken).ConfigureAwait(false);
        if (addresses.FirstOrDefault(ForbiddenAddresses.IsForbidden) is { } forbidden)
        {
            throw new ForbiddenEndpointException($"{target.Host} leads to {forbidden}, an address that is not publicly reachable.");
        }

        return await ConnectAsync(addresses, target.Port, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken) =>
        IPAddress.TryParse(host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(host, cancellationToken).ConfigureAwait(false);

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
