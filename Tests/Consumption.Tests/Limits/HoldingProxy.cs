using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>A TCP proxy before a Redis server that can hold back what either side says, and counts the scripts that pass.</summary>
public sealed class HoldingProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource ending = new();
    private readonly ConcurrentBag<Task> pumps = [];
    private readonly int target;
    private readonly string options;
    private volatile TaskCompletionSource? requests;
    private volatile TaskCompletionSource? answers;
    private int scripts;

    private HoldingProxy(string connection)
    {
        var parts = connection.Split(',', 2);
        (target, options) = (int.Parse(parts[0].Split(':')[1], System.Globalization.CultureInfo.InvariantCulture), parts[1]);
        listener.Start();
        pumps.Add(AcceptAsync());
    }

    /// <summary>Scripts that went through to the server.</summary>
    public int Scripts => Volatile.Read(ref scripts);

    public string ConnectionString => $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port},{options}";

    public static HoldingProxy Before(string connection) => new(connection);

    /// <summary>From now on nothing reaches the server; what was said meanwhile reaches it at the end of the hold.</summary>
    public void HoldRequests() => requests = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>From now on no answer reaches a client.</summary>
    public void HoldAnswers() => answers = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release()
    {
        Interlocked.Exchange(ref requests, null)?.TrySetResult();
        Interlocked.Exchange(ref answers, null)?.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        Release();
        listener.Stop();
        await Task.WhenAll(pumps).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!ending.IsCancellationRequested)
        {
            var client = await listener.AcceptSocketAsync(ending.Token);
            var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            client.NoDelay = true;
            await server.ConnectAsync(IPAddress.Loopback, target, ending.Token);
            pumps.Add(PumpAsync(client, server, fromClient: true));
            pumps.Add(PumpAsync(server, client, fromClient: false));
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool fromClient)
    {
        var buffer = new byte[65_536];
        try
        {
            while (await from.ReceiveAsync(buffer, ending.Token) is > 0 and var read)
            {
                if ((fromClient ? requests : answers) is { } hold)
                {
                    await hold.Task.WaitAsync(ending.Token);
                }

                if (fromClient)
                {
                    Interlocked.Add(ref scripts, Encoding.ASCII.GetString(buffer, 0, read).Split("EVALSHA").Length - 1);
                }

                await to.SendAsync(buffer.AsMemory(0, read), ending.Token);
            }
        }
        catch (Exception over) when (over is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One side left: so does the other.
        }
        finally
        {
            from.Dispose();
            to.Dispose();
        }
    }
}
