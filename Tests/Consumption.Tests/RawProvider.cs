using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmMarketplace.Consumption.Tests;

/// <summary>A provider that says bytes which no HTTP server would: by the first segment of the path, once the request is there.</summary>
internal sealed class RawProvider : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<string, Func<NetworkStream, CancellationToken, Task>> answers = new();
    private readonly ConcurrentDictionary<string, int> calls = new();
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;

    public RawProvider()
    {
        listener.Start();
        running = AcceptAsync();
    }

    public string Address => $"http://{listener.LocalEndpoint}";

    /// <summary>What is said to calls below <c>/{segment}/</c>; the connection ends with it.</summary>
    public void Answer(string segment, Func<NetworkStream, CancellationToken, Task> answer) => answers[segment] = answer;

    /// <summary>How many came.</summary>
    public int CallsOf(string segment) => calls.GetValueOrDefault(segment);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await running;
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
            {
                open.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                var segment = await ReadAsync(stream);
                calls.AddOrUpdate(segment, 1, (_, before) => before + 1);
                await answers[segment](stream, stop.Token);
            }
            catch (Exception left) when (left is IOException or OperationCanceledException)
            {
                // The marketplace hung up, or the test is over.
            }
        }
    }

    // The whole request, so that the connection does not end with bytes unread.
    private async Task<string> ReadAsync(NetworkStream stream)
    {
        var text = "";
        var buffer = new byte[4_096];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, stop.Token);
            if (read == 0)
            {
                throw new IOException("The request ended early.");
            }

            text += Encoding.ASCII.GetString(buffer, 0, read);
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var length = text.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase);
            if (end >= 0 && text.Length >= end + 4 + int.Parse(text[(length + 16)..text.IndexOf('\r', length)], CultureInfo.InvariantCulture))
            {
                return text.Split('/')[1];
            }
        }
    }
}
