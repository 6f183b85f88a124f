using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>A port that listens and takes nobody in: its queue is full, so whoever connects waits for ever (listen(2): Linux drops what finds the queue full).</summary>
internal sealed class FullPort : IDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<Socket> queue = [];

    public FullPort()
    {
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(0);
        for (var waiting = 0; waiting < 3; waiting++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            queue.Add(socket);
            try
            {
                socket.Connect(listener.LocalEndPoint!);
            }
            catch (SocketException waits) when (waits.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                // The first is in the queue, the others before it.
            }
        }
    }

    public string Address => $"http://{listener.LocalEndPoint}";

    public void Dispose()
    {
        queue.ForEach(socket => socket.Dispose());
        listener.Dispose();
    }
}
