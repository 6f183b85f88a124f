using System.Net;
using System.Net.Sockets;

namespace LlmMarketplace.Servers;

/// <summary>
/// A network between two processes that can be cut. While it is, nothing passes: bytes and ends of connections wait, new connections are taken and lead nowhere, and neither side is
/// told. Mended, what waited goes on its way.
/// </summary>
public sealed class TcpProxy : IAsyncDisposable
{
    private readonly TcpListener listener;
    private readonly CancellationTokenSource ending = new();
    private readonly int target;
    private readonly Task accepting;
    private volatile TaskCompletionSource open = Passed();

    /// <summary>Listens at once.</summary>
    /// <param name="target">The loopback port that it leads to.</param>
    public TcpProxy(int target)
    {
        this.target = target;
        listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>Its own loopback port.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Lets nothing pass any more.</summary>
    public void Cut()
    {
        if (open.Task.IsCompleted)
        {
            open = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    /// <summary>Lets everything pass again.</summary>
    public void Mend() => open.TrySetResult();

    /// <summary>Ends all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        Mend();
        listener.Stop();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    private static TaskCompletionSource Passed()
    {
        var passed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        passed.SetResult();
        return passed;
    }

    private async Task AcceptAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            _ = JoinAsync(await listener.AcceptSocketAsync(ending.Token));
        }
    }

    private async Task JoinAsync(Socket client)
    {
        using var one = client;
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        try
        {
            await open.Task.WaitAsync(ending.Token);
            await other.ConnectAsync(IPAddress.Loopback, target, ending.Token);
            await Task.WhenAny(PumpAsync(one, other), PumpAsync(other, one)); // One side's end is the other's.
        }
        catch (Exception over) when (over is SocketException or OperationCanceledException)
        {
            // Nobody listens there, or the proxy ends.
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[65_536];
        try
        {
            for (var read = -1; read != 0;)
            {
                read = await from.ReceiveAsync(buffer, ending.Token);
                await open.Task.WaitAsync(ending.Token);
                for (var sent = 0; sent < read;)
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), ending.Token);
                }
            }
        }
        catch (Exception over) when (over is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await open.Task.WaitAsync(CancellationToken.None); // A reset does not pass either while the network is cut.
        }
    }
}
