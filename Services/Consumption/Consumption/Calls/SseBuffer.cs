using System.Buffers;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Cuts a stream of server-sent events (WHATWG HTML, 9.2) into whole events, whatever way its bytes come in. Lines end by LF, CRLF or CR, an empty line ends an
/// event. Bounded: an event that is longer than it may be is refused.
/// </summary>
internal sealed class SseBuffer(int maxEventBytes) : IDisposable
{
    private const int FirstBytes = 8 * 1024;
    private byte[] buffer = [];
    private int start;
    private int end;
    private int scanned;
    private bool lineIsEmpty = true;
    private bool afterCr;

    /// <summary>Whether bytes of an unfinished event are held.</summary>
    public bool HasPartial => end > start;

    /// <summary>Room for the next read; what was taken before is gone.</summary>
    /// <exception cref="EventTooLongException">The event under way is longer than it may be.</exception>
    public Memory<byte> Room()
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            (scanned, end, start) = (scanned - start, end - start, 0);
        }

        if (end > maxEventBytes)
        {
            throw new EventTooLongException();
        }

        if (end == buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBytes, buffer.Length * 2));
            buffer.AsSpan(0, end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }

        return buffer.AsMemory(end);
    }

    /// <summary>Gives its memory back until there is something to read, if it holds nothing of an unfinished event; what was taken before is gone then. Whether it did.</summary>
    public bool TryRest()
    {
        if (HasPartial)
        {
            return false;
        }

        (start, end, scanned) = (0, 0, 0);
        Dispose();
        return true;
    }

    /// <summary>So many bytes were read into the room.</summary>
    public void Filled(int bytes) => end += bytes;

    /// <summary>The next whole event with the empty line that ends it. Valid until <see cref="Room"/>.</summary>
    public bool TryTake(out ReadOnlyMemory<byte> taken)
    {
        while (scanned < end)
        {
            var value = buffer[scanned];
            if (afterCr && value == '\n')
            {
                // The rest of a CRLF that came in two reads: its line, and its event, ended with the CR.
                afterCr = false;
                start += scanned == start ? 1 : 0;
                scanned++;
                continue;
            }

            afterCr = false;
            if (value is not ((byte)'\n' or (byte)'\r'))
            {
                lineIsEmpty = false;
                scanned++;
                continue;
            }

            // A CR is not made to wait for the LF that may follow: a stream of CRs would never be seen to end.
            afterCr = value == '\r' && scanned + 1 == end;
            var length = value == '\r' && !afterCr && buffer[scanned + 1] == '\n' ? 2 : 1;
            scanned += length;
            if (lineIsEmpty)
            {
                taken = buffer.AsMemory(start, scanned - start);
                start = scanned;
                return true;
            }

            lineIsEmpty = true;
        }

        taken = default;
        return false;
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(Interlocked.Exchange(ref buffer, []));
}

/// <summary>A provider sent an event without end.</summary>
internal sealed class EventTooLongException() : IOException("An event of the provider's stream is longer than Calls:MaxEventBytes.");
