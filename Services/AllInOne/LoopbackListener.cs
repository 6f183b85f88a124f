using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// A socket that listens on a free loopback port before its application exists: everybody can be told the address at once, nobody can take the
/// port in between, and who calls early waits instead of being refused.
/// </summary>
internal sealed class LoopbackListener : IDisposable
{
    private const int Backlog = 512;
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public LoopbackListener()
    {
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(Backlog);
        Address = new($"http://127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}");
    }

    public Uri Address { get; }

    /// <summary>From here on the socket is the server's.</summary>
    public void HandOver(KestrelServerOptions kestrel)
    {
        kestrel.ListenHandle((ulong)socket.SafeHandle.DangerousGetHandle());
        socket.SafeHandle.SetHandleAsInvalid();
    }

    public void Dispose() => socket.Dispose();
}
