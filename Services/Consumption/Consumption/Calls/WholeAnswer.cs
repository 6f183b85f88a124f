using System.Buffers;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>The whole body of a provider's answer, in rented memory.</summary>
internal sealed class WholeAnswer : IDisposable
{
    // More is taken as it comes: a length that is only announced takes no memory.
    private const int MostAtOnce = 1024 * 1024;

    private byte[] buffer;
    private int length;

    private WholeAnswer(int capacity) => buffer = ArrayPool<byte>.Shared.Rent(capacity);

    public int Length => length;

    public ReadOnlyMemory<byte> Memory => buffer.AsMemory(0, length);

    private Memory<byte> Room()
    {
        if (length == buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
            buffer.AsSpan(0, length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }

        return buffer.AsMemory(length);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref buffer, []) is { Length: > 0 } rented)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>The whole body in rented memory, or null when it is larger than it may be.</summary>
    public static async Task<WholeAnswer?> ReadAsync(HttpResponseMessage answer, int max, CancellationToken cancellationToken)
    {
        if (answer.Content.Headers.ContentLength > max)
        {
            return null;
        }

        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var body = new WholeAnswer((int)Math.Min(answer.Content.Headers.ContentLength + 1 ?? 16 * 1024, MostAtOnce));
        try
        {
            while (true)
            {
                var read = await stream.ReadAsync(body.Room(), cancellationToken);
                if (read == 0)
                {
                    return body;
                }

                body.length += read;
                if (body.length > max)
                {
                    body.Dispose();
                    return null;
                }
            }
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }
}
