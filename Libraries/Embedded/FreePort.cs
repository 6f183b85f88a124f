using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.Embedded;

/// <summary>Ports of the loopback address.</summary>
public static class FreePort
{
    /// <summary>A port that nobody listened on a moment ago. Somebody may take it before you do: be ready to ask again.</summary>
    public static int Choose()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Whether one could listen on this port of this address now (loopback unless given).</summary>
    public static bool IsFree(int port, IPAddress? address = null)
    {
        try
        {
            using var listener = new TcpListener(address ?? IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
