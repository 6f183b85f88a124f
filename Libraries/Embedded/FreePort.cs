using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.Embedded;

/// <summary>Ports of the loopback address.</summary>
public static class FreePort
{
    private const int Lowest = 10_000; // Below are the well-known ones.
    private static readonly int LentFrom = ReadLentFrom();
    private static int last = Random.Shared.Next(Lowest, ushort.MaxValue);

    /// <summary>
    /// A port that nobody listened on a moment ago, and another one each time. Somebody may take it before you do: be ready to ask again. No connection does, for it is none of those that the kernel lends to connections
    /// (<c>net.ipv4.ip_local_port_range</c>), so that a server that is down for a while comes back to its own.
    /// </summary>
    public static int Choose()
    {
        for (var attempt = 0; attempt < LentFrom - Lowest; attempt++)
        {
            var port = Lowest + ((Interlocked.Increment(ref last) & int.MaxValue) % (LentFrom - Lowest));
            if (IsFree(port))
            {
                return port;
            }
        }

        using var listener = new TcpListener(IPAddress.Loopback, 0); // The kernel lends all, or all are taken.
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

    private static int ReadLentFrom()
    {
        try
        {
            return int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t')[0], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return Lowest; // Another system: ask it for one.
        }
    }
}
