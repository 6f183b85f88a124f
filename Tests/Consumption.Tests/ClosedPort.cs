using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>A port that is taken and where nobody listens: whoever connects is refused.</summary>
internal sealed class ClosedPort : IDisposable
{
    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public ClosedPort() => socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public string Address => $"http://{socket.LocalEndPoint}";

    public void Dispose() => socket.Dispose();
}
