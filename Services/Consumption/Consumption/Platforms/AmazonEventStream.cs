using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Amazon.Runtime.EventStreams;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Translation;

namespace LlmMarketplace.Consumption.Platforms;

/// <summary>
/// A stream in Amazon's own framing, read as the server-sent events that the rest of the gateway knows.
/// <code>
/// total length │ headers' length │ CRC │ headers │ payload │ CRC         (https://smithy.io/2.0/aws/amazon-eventstream.html)
///
/// InvokeModel:  chunk {"bytes":"base64 of an event of Messages"}   ►  event: its type, data: the event, untouched
/// Converse:     contentBlockDelta {…}                              ►  data: {"contentBlockDelta":{…}}
/// both:         an exception                                       ►  event: error, data: {"type":"error","error":{…}}
/// </code>
/// Amazon's library takes a message apart and checks both sums; it is given no message before it is whole, and none that is longer than it may be.
/// </summary>
internal sealed class AmazonEventStream(Stream source, int maxMessageBytes, bool isInvoke) : Stream
{
    private const string MediaType = "application/vnd.amazon.eventstream";
    private const int Framing = 16;

    private readonly ArrayBufferWriter<byte> ready = new();
    private byte[] buffer = new byte[8 * 1024];
    private int start;
    private int end;
    private int taken;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Has an answer in this framing read as server-sent events; any other is left as it is.</summary>
    /// <param name="answer">The provider's answer.</param>
    /// <param name="maxMessageBytes">The longest message that is taken.</param>
    /// <param name="isInvoke">Whether its events are those of InvokeModel; else of Converse.</param>
    public static void Unframe(HttpResponseMessage answer, int maxMessageBytes, bool isInvoke)
    {
        if (answer.Content.Headers.ContentType?.MediaType == MediaType)
        {
            answer.Content = new Unframed(answer.Content, maxMessageBytes, isInvoke);
        }
    }

    /// <exception cref="IOException">The stream ends within a message, or a message is damaged, too long, or not what its protocol says.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> into, CancellationToken cancellationToken = default)
    {
        while (taken == ready.WrittenCount)
        {
            ready.ResetWrittenCount();
            taken = 0;
            if (TryTake())
            {
                continue;
            }

            var read = await source.ReadAsync(Room(), cancellationToken);
            if (read == 0)
            {
                return end == start ? 0 : throw new IOException("The provider's stream ends within a message.");
            }

            end += read;
        }

        var count = Math.Min(into.Length, ready.WrittenCount - taken);
        ready.WrittenMemory.Slice(taken, count).CopyTo(into);
        taken += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            source.Dispose();
        }

        base.Dispose(disposing);
    }

    private Memory<byte> Room()
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (start, end) = (0, end - start);
        }

        if (end == buffer.Length)
        {
            Array.Resize(ref buffer, buffer.Length * 2); // Bounded: a whole message, at most, is waited for.
        }

        return buffer.AsMemory(end);
    }

    /// <summary>Takes one message, if a whole one is there.</summary>
    private bool TryTake()
    {
        if (end - start < Framing)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(buffer.AsSpan(start));
        if (length < Framing || length > maxMessageBytes)
        {
            throw new IOException("A message of the provider's stream is longer than it may be, or shorter than it can be.");
        }

        if (end - start < length)
        {
            return false;
        }

        try
        {
            Convert(EventStreamMessage.FromBuffer(buffer[start..(start + (int)length)], 0, (int)length)); // A copy: the library reads headers rightly only from the beginning of an array.
        }
        catch (Exception damaged) when (damaged is EventStreamChecksumFailureException or EventStreamParseException or JsonException or FormatException or ArgumentException or InvalidOperationException
            or IndexOutOfRangeException or OverflowException)
        {
            throw new IOException("A message of the provider's stream is damaged.", damaged);
        }

        start += (int)length;
        return true;
    }

    private void Convert(EventStreamMessage message)
    {
        switch (Header(message, ":message-type"))
        {
            case "event" when isInvoke && Header(message, ":event-type") == "chunk":
                WriteChunk(message.Payload);
                break;
            case "event" when !isInvoke && Header(message, ":event-type") is { } type:
                WriteUnion(type, message.Payload);
                break;
            case "exception":
                ready.Write(ProviderError.ReadAmazon(Header(message, ":exception-type"), message.Payload).ToEvent(Dialect.Messages, 0));
                break;
            case "error":
                ready.Write(ProviderError.ReadAmazon(Header(message, ":error-code"), default).ToEvent(Dialect.Messages, 0));
                break;
            default:
                break; // What a newer protocol may say besides.
        }
    }

    private void WriteChunk(byte[] payload)
    {
        using var document = JsonDocument.Parse(payload);
        if (!document.RootElement.TryGetProperty("bytes", out var bytes))
        {
            return;
        }

        var data = bytes.GetBytesFromBase64();
        using var inner = JsonDocument.Parse(data);
        if (inner.RootElement.TryGetProperty("type", out var type) && type.GetString() is { Length: > 0 } name && name.All(one => char.IsAsciiLetterLower(one) || one == '_'))
        {
            ready.Write(Encoding.UTF8.GetBytes($"event: {name}\n"));
        }

        WriteData(data, default);
    }

    private void WriteUnion(string type, byte[] payload)
    {
        if (payload.Length > 0 && type.All(char.IsAsciiLetter))
        {
            WriteData(payload, type);
        }
    }

    /// <summary>JSON as an event's data: between its tokens the end of a line is as good as a space, and within them it cannot be.</summary>
    private void WriteData(byte[] json, string? type)
    {
        json.AsSpan().Replace((byte)'\n', (byte)' ');
        json.AsSpan().Replace((byte)'\r', (byte)' ');
        ready.Write(type is null ? "data: "u8 : Encoding.UTF8.GetBytes($"data: {{\"{type}\":"));
        ready.Write(json);
        ready.Write(type is null ? "\n\n"u8 : "}\n\n"u8);
    }

    private static string? Header(EventStreamMessage message, string name) =>
        message.Headers.TryGetValue(name, out var header) && header.HeaderType == EventStreamHeaderType.String ? header.AsString() : null;

    /// <summary>The answer's body, unframed while it is read.</summary>
    private sealed class Unframed : HttpContent
    {
        private readonly HttpContent framed;
        private readonly int maxMessageBytes;
        private readonly bool isInvoke;

        public Unframed(HttpContent framed, int maxMessageBytes, bool isInvoke)
        {
            (this.framed, this.maxMessageBytes, this.isInvoke) = (framed, maxMessageBytes, isInvoke);
            Headers.ContentType = new MediaTypeHeaderValue("text/event-stream");
        }

        protected override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
            new AmazonEventStream(await framed.ReadAsStreamAsync(cancellationToken), maxMessageBytes, isInvoke);

        protected override Task<Stream> CreateContentReadStreamAsync() => CreateContentReadStreamAsync(CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await using var unframed = await CreateContentReadStreamAsync(CancellationToken.None);
            await unframed.CopyToAsync(stream);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                framed.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
