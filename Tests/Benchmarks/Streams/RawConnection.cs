using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>An answer as its caller saw it.</summary>
/// <param name="Id">Its <c>x-request-id</c>; empty without one.</param>
/// <param name="Status">HTTP status; 0: the connection broke before it came.</param>
/// <param name="FirstByte">From sending to the first byte of the body.</param>
/// <param name="Whole">From sending to the end.</param>
/// <param name="IsWhole">Whether it came to its proper end; a stream: with <c>[DONE]</c>.</param>
internal sealed record Answered(Guid Id, int Status, TimeSpan FirstByte, TimeSpan Whole, bool IsWhole);

/// <summary>
/// A caller as light as may be: one HTTP/1.1 connection, and no memory of its own while it waits (a read of no bytes waits for data; what is there is read into memory that all
/// connections share). It looks for the end of an answer, and at nothing in between.
/// </summary>
internal sealed class RawConnection : IDisposable
{
    private const int TailBytes = 32;

    [ThreadStatic]
    private static byte[]? shared;

    private readonly Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private static ReadOnlySpan<byte> EndOfStream => "data: [DONE]\n\n\r\n0\r\n\r\n"u8;

    private static ReadOnlySpan<byte> EndOfChunks => "\r\n0\r\n\r\n"u8;

    public static async Task<RawConnection> OpenAsync(Uri address, CancellationToken cancellation)
    {
        var connection = new RawConnection();
        try
        {
            await connection.socket.ConnectAsync(IPAddress.Loopback, address.Port, cancellation);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A request's bytes.</summary>
    public static byte[] Request(Uri address, string key, string body) => Encoding.UTF8.GetBytes(
        $"POST /v1/chat/completions HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body).ToString(CultureInfo.InvariantCulture)}\r\n\r\n{body}");

    /// <summary>Sends a request and reads its answer to the end.</summary>
    /// <param name="request">The request.</param>
    /// <param name="begun">Called when the first byte of a body with status 200 is there.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task<Answered> CallAsync(ReadOnlyMemory<byte> request, Action? begun, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var answer = new Reading();
        try
        {
            await socket.SendAsync(request, cancellation);
            while (!answer.IsOver)
            {
                await socket.ReceiveAsync(Memory<byte>.Empty, cancellation);
                if (Receive(answer) && answer.BodyBytes > 0 && answer.FirstByte == default)
                {
                    answer.FirstByte = Stopwatch.GetElapsedTime(started);
                    if (answer.Status == 200)
                    {
                        begun?.Invoke();
                    }
                }
            }
        }
        catch (SocketException)
        {
            answer.IsOver = true; // Broken: not whole.
        }

        return new Answered(answer.Id, answer.Status, answer.FirstByte, Stopwatch.GetElapsedTime(started), answer.IsWhole);
    }

    public void Dispose() => socket.Dispose();

    private bool Receive(Reading answer)
    {
        var buffer = shared ??= new byte[64 * 1024];
        var read = socket.Receive(buffer);
        if (read == 0)
        {
            answer.IsOver = true;
            return false;
        }

        answer.Take(buffer.AsSpan(0, read));
        return true;
    }

    /// <summary>What is kept of an answer while it comes: its head until it is whole, and the last bytes of its body.</summary>
    private sealed class Reading
    {
        private readonly byte[] tail = new byte[TailBytes];
        private byte[]? head = [];
        private int tailLength;
        private long? length;

        public Guid Id { get; private set; }

        public int Status { get; private set; }

        public long BodyBytes { get; private set; }

        public TimeSpan FirstByte { get; set; }

        public bool IsOver { get; set; }

        public bool IsWhole { get; private set; }

        public void Take(ReadOnlySpan<byte> bytes)
        {
            if (head is null)
            {
                TakeBody(bytes);
                return;
            }

            head = [.. head, .. bytes];
            var end = head.AsSpan().IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var whole = head;
                head = null;
                ReadHead(Encoding.ASCII.GetString(whole, 0, end));
                TakeBody(whole.AsSpan(end + 4));
            }
        }

        private void ReadHead(string text)
        {
            Status = int.Parse(text.AsSpan(9, 3), CultureInfo.InvariantCulture);
            foreach (var line in text.Split("\r\n").Skip(1))
            {
                var colon = line.IndexOf(':', StringComparison.Ordinal);
                var value = line.AsSpan(colon + 1).Trim();
                switch (line[..colon].ToLowerInvariant())
                {
                    case "x-request-id":
                        Id = Guid.Parse(value);
                        break;
                    case "content-length":
                        length = long.Parse(value, CultureInfo.InvariantCulture);
                        break;
                    default:
                        break;
                }
            }
        }

        private void TakeBody(ReadOnlySpan<byte> bytes)
        {
            BodyBytes += bytes.Length;
            var kept = bytes.Length >= TailBytes ? bytes[^TailBytes..] : bytes;
            var before = Math.Min(tailLength, TailBytes - kept.Length);
            tail.AsSpan(tailLength - before, before).CopyTo(tail);
            kept.CopyTo(tail.AsSpan(before));
            tailLength = before + kept.Length;
            var end = tail.AsSpan(0, tailLength);
            if (length is { } announced)
            {
                (IsOver, IsWhole) = (BodyBytes >= announced, BodyBytes == announced && Status == 200);
            }
            else if (end.EndsWith(EndOfChunks))
            {
                (IsOver, IsWhole) = (true, Status == 200 && end.EndsWith(EndOfStream));
            }
        }
    }
}
