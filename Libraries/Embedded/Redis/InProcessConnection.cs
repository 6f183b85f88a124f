using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Garnet.networking;

namespace LlmMarketplace.Embedded;

/// <summary>
/// A connection to the embedded Redis by memory:
/// <code>
/// client ── Write ──► bytes ──► session, on the writer's thread ──► sender ──► pipe ──► Read ── client
///                       ▲ a command that is not whole yet waits here for its rest
/// </code>
/// </summary>
internal sealed unsafe class InProcessConnection : Stream
{
    private const int FirstBytes = 16 * 1024;
    private readonly object gate = new(); // A monitor: whoever reads an answer inline may close the connection from there.
    private readonly Pipe answers = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, pauseWriterThreshold: 0, useSynchronizationContext: false));
    private readonly Stream reading;
    private readonly IMessageConsumer session;
    private readonly Action<InProcessConnection> closed;
    private byte[] bytes = GC.AllocateUninitializedArray<byte>(FirstBytes, pinned: true);
    private int filled;
    private bool isWorking;
    private bool isClosed;

    /// <param name="open">Opens the server's session, given where its answers go.</param>
    /// <param name="closed">Told once when it is closed.</param>
    public InProcessConnection(Func<INetworkSender, IMessageConsumer> open, Action<InProcessConnection> closed)
    {
        reading = answers.Reader.AsStream();
        session = open(new Sender(this));
        this.closed = closed;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => reading.Read(buffer, offset, count);

    public override int Read(Span<byte> buffer) => reading.Read(buffer);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => reading.ReadAsync(buffer, offset, count, cancellationToken);

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => reading.ReadAsync(buffer, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <exception cref="IOException">It is closed.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        lock (gate)
        {
            if (isClosed)
            {
                throw new IOException("The connection to the embedded Redis is closed.");
            }

            Keep(buffer);
            isWorking = true;
            try
            {
                var worked = session.TryConsumeMessages((byte*)Unsafe.AsPointer(ref bytes[0]), filled); // The array is pinned.
                bytes.AsSpan(worked, filled - worked).CopyTo(bytes);
                filled -= worked;
                FlushAnswers();
            }
            finally
            {
                isWorking = false;
                if (isClosed)
                {
                    session.Dispose();
                }
            }
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.AsSpan(offset, count));
        return Task.CompletedTask;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        lock (gate)
        {
            if (isClosed)
            {
                return;
            }

            isClosed = true;
            answers.Writer.Complete();
            if (!isWorking)
            {
                session.Dispose();
            }
        }

        closed(this);
        base.Dispose(disposing);
    }

    private void FlushAnswers()
    {
        if (isClosed)
        {
            return;
        }

        var flushed = answers.Writer.FlushAsync();
        if (!flushed.IsCompleted)
        {
            throw new UnreachableException("A pipe without bound makes nobody wait.");
        }

        flushed.GetAwaiter().GetResult();
    }

    private void Keep(ReadOnlySpan<byte> more)
    {
        if (bytes.Length - filled < more.Length)
        {
            var larger = GC.AllocateUninitializedArray<byte>(Math.Max(bytes.Length * 2, filled + more.Length), pinned: true);
            bytes.AsSpan(0, filled).CopyTo(larger);
            bytes = larger;
        }

        more.CopyTo(bytes.AsSpan(filled));
        filled += more.Length;
    }

    /// <summary>Takes the session's answers. What another session publishes comes by other threads, so each answer is written under the lock.</summary>
    private sealed class Sender : NetworkSenderBase
    {
        private readonly InProcessConnection connection;
        private readonly byte[] answer;
        private readonly byte* head;

        public Sender(InProcessConnection connection)
            : base(new MaxSizeSettings())
        {
            this.connection = connection;
            answer = GC.AllocateUninitializedArray<byte>(serverBufferSize, pinned: true);
            head = (byte*)Unsafe.AsPointer(ref answer[0]);
        }

        public override string RemoteEndpointName => "in process";

        public override string LocalEndpointName => "in process";

        public override bool IsLocalConnection() => true;

        public override void Enter() => Monitor.Enter(connection.gate);

        public override void EnterAndGetResponseObject(out byte* head, out byte* tail)
        {
            Enter();
            head = GetResponseObjectHead();
            tail = GetResponseObjectTail();
        }

        public override void Exit()
        {
            if (!connection.isWorking)
            {
                connection.FlushAnswers();
            }

            Monitor.Exit(connection.gate);
        }

        public override void ExitAndReturnResponseObject() => Exit();

        public override void GetResponseObject()
        {
        }

        public override void ReturnResponseObject()
        {
        }

        public override byte* GetResponseObjectHead() => head;

        public override byte* GetResponseObjectTail() => head + answer.Length;

        public override bool SendResponse(int offset, int size)
        {
            SendResponse(answer, offset, size, this);
            return true;
        }

        public override void SendResponse(byte[] buffer, int offset, int count, object context)
        {
            if (!connection.isClosed)
            {
                connection.answers.Writer.Write(buffer.AsSpan(offset, count));
            }
        }

        public override void SendCallback(object context)
        {
        }

        public override void Throttle()
        {
        }

        public override bool TryClose()
        {
            connection.Dispose();
            return true;
        }

        public override void DisposeNetworkSender(bool waitForSendCompletion) => connection.Dispose();

        public override void Dispose() => DisposeNetworkSender(false);
    }
}
