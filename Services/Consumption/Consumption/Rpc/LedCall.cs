using System.Runtime.InteropServices;
using Google.Protobuf;
using Grpc.Core;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.V1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace LlmMarketplace.Consumption.Rpc;

/// <summary>
/// A call by gRPC as the HTTP request that it stands for:
/// <code>
/// message ─► request: path, metadata as headers, body ─► ServeCall ─► response ─► first message: status, headers, body; then bodies
///                                                              └ refusal ─► taken out before it becomes a body: the status with its details
/// </code>
/// </summary>
internal sealed class LedCall : IHttpResponseFeature, IHttpRequestLifetimeFeature, ITakeRefusals, IDisposable
{
    // Clients take messages of 4 MiB unless told otherwise.
    private const int MostInMessage = 1024 * 1024;

    // What belongs to the connection or to gRPC itself.
    private static readonly HashSet<string> Own = new(StringComparer.OrdinalIgnoreCase) { "connection", "content-encoding", "content-length", "content-type", "expect", "te", "trailer", "transfer-encoding", "upgrade" };

    private readonly IServerStreamWriter<RouteRequestResponse> messages;
    private readonly CancellationTokenSource aborted;
    private readonly CancellationToken left;
    private readonly Answer answer;

    public LedCall(HttpContext outer, string path, ReadOnlyMemory<byte> body, IServerStreamWriter<RouteRequestResponse> messages, CancellationToken left)
    {
        (this.messages, this.left) = (messages, left);
        aborted = CancellationTokenSource.CreateLinkedTokenSource(left);
        RequestAborted = aborted.Token;
        answer = new Answer(this);
        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(new HttpRequestFeature
        {
            Method = HttpMethods.Post,
            Path = path,
            Scheme = outer.Request.Scheme,
            Protocol = outer.Request.Protocol,
            Body = MemoryMarshal.TryGetArray(body, out var bytes) ? new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false) : new MemoryStream(body.ToArray(), writable: false),
        });
        features.Set<IHttpResponseFeature>(this);
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(answer));
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<ITakeRefusals>(this);
        features.Set(outer.Features.Get<IHttpConnectionFeature>()); // Wrong keys count to the address that they come from.
        Http = new DefaultHttpContext(features) { RequestServices = outer.RequestServices, TraceIdentifier = outer.TraceIdentifier };
        foreach (var (name, value) in outer.Request.Headers.Where(header => header.Key[0] != ':' && !Own.Contains(header.Key) && !header.Key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase)))
        {
            Http.Request.Headers[name] = value;
        }

        Http.Request.ContentType = "application/json";
        Http.Request.ContentLength = body.Length;
    }

    public HttpContext Http { get; }

    /// <summary>Why there is no answer, or no more of it.</summary>
    public CallRefusal? Refused { get; private set; }

    /// <summary>Whether the answer broke off.</summary>
    public bool IsAborted { get; private set; }

    public int StatusCode { get; set; } = StatusCodes.Status200OK;

    public string? ReasonPhrase { get; set; }

    public IHeaderDictionary Headers { get; set; } = new HeaderDictionary();

    public Stream Body { get => answer; set => throw new NotSupportedException(); }

    public bool HasStarted { get; private set; }

    public CancellationToken RequestAborted { get; set; }

    public void Refuse(CallRefusal refusal) => Refused = refusal;

    public void Abort()
    {
        IsAborted = true;
        aborted.Cancel();
    }

    /// <summary>An answer without a body has its head still to be sent.</summary>
    public async Task CompleteAsync()
    {
        if (!HasStarted)
        {
            await messages.WriteAsync(Next(default), RequestAborted);
        }
    }

    public void OnStarting(Func<object, Task> callback, object state) => throw new NotSupportedException();

    public void OnCompleted(Func<object, Task> callback, object state) => throw new NotSupportedException();

    public void Dispose() => aborted.Dispose();

    private RouteRequestResponse Next(ReadOnlySpan<byte> body)
    {
        var message = new RouteRequestResponse { Body = ByteString.CopyFrom(body) };
        if (!HasStarted)
        {
            HasStarted = true;
            message.Status = StatusCode;
            foreach (var (name, value) in Headers)
            {
                message.Headers[name.ToLowerInvariant()] = value.ToString();
            }
        }

        return message;
    }

    /// <summary>Writes what is written to it as messages.</summary>
    private sealed class Answer(LedCall call) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            while (buffer.Length > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (call.left.IsCancellationRequested)
                {
                    return; // As with HTTP: what nobody hears any more is dropped, and who makes it may go on.
                }

                var part = buffer[..Math.Min(buffer.Length, MostInMessage)];
                try
                {
                    await call.messages.WriteAsync(call.Next(part.Span), cancellationToken);
                }
                catch (Exception gone) when (call.left.IsCancellationRequested && gone is (OperationCanceledException or InvalidOperationException or IOException or RpcException))
                {
                    continue; // The caller left in the middle of it: asked again above.
                }

                buffer = buffer[part.Length..];
            }
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Answers are written without blocking.");

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
