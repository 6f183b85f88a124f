using System.Net;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>A body that notes when the connection begins to take it over: until then the provider has seen nothing of the request.</summary>
internal abstract class NotedBody : HttpContent
{
    private volatile bool hasBegun;

    /// <summary>Whether any of the request may have been sent.</summary>
    public bool HasBegun => hasBegun;

    protected abstract Task WriteAsync(Stream stream, CancellationToken cancellationToken);

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        hasBegun = true;
        return WriteAsync(stream, cancellationToken);
    }

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);
}

/// <summary>A body that is there in one piece.</summary>
internal sealed class WholeBody(ReadOnlyMemory<byte> bytes) : NotedBody
{
    protected override Task WriteAsync(Stream stream, CancellationToken cancellationToken) => stream.WriteAsync(bytes, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = bytes.Length;
        return true;
    }
}
