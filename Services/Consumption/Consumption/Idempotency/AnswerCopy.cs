using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>What a caller is sent, collected for a repeat; given up when it becomes larger than what is kept.</summary>
internal sealed class AnswerCopy(int maxBytes)
{
    private ArrayBufferWriter<byte>? bytes = new();

    /// <summary>What was sent; null when it is too large to be kept.</summary>
    public ReadOnlyMemory<byte>? Bytes => bytes?.WrittenMemory;

    public string? ContentType { get; private set; }

    /// <summary>The answer's status.</summary>
    public int Status { get; private set; } = StatusCodes.Status200OK;

    /// <summary>Begins anew: of a call that failed before, nothing was sent.</summary>
    public void Begin(string contentType)
    {
        Status = StatusCodes.Status200OK;
        ContentType = contentType;
        bytes = new();
    }

    /// <summary>Of the call that comes, nothing was sent yet.</summary>
    public void Forget() => (bytes, ContentType, Status) = (new(), null, StatusCodes.Status200OK);

    /// <summary>Takes a whole answer.</summary>
    public void Take(string contentType, ReadOnlySpan<byte> whole, int status = StatusCodes.Status200OK)
    {
        Begin(contentType);
        Status = status;
        Append(whole);
    }

    public void Append(ReadOnlySpan<byte> more)
    {
        if (bytes is not null && bytes.WrittenCount + more.Length > maxBytes)
        {
            bytes = null;
        }

        bytes?.Write(more);
    }
}
