using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>Follows the log that this process itself writes, as far as it is on disk; so what waits to be shipped takes no memory. Every whole frame is read, whatever lies between.</summary>
/// <param name="folder">The log's.</param>
/// <param name="from">Where to begin.</param>
/// <param name="damaged">Is told of what is no whole frame where one should be, before anything after it is read.</param>
internal sealed class LogTail(string folder, LogPosition from, Action<Damage> damaged) : IDisposable
{
    private byte[] buffer = new byte[256 * 1024];
    private SafeFileHandle? file;
    private long length;
    private long? expected;

    /// <summary>Up to where entries were read.</summary>
    public LogPosition Position { get; private set; } = from;

    /// <summary>Reads the entries that follow, some of them; none when <paramref name="end"/> is reached.</summary>
    public void Read(LogPosition end, int max, Action<LogRecord> read)
    {
        var count = 0;
        while (count < max && Position < end)
        {
            if (file is null)
            {
                file = File.OpenHandle(Segment.PathOf(folder, Position.Segment), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                length = RandomAccess.GetLength(file);
            }

            var limit = Position.Segment == end.Segment ? end.Offset : length;
            var taken = TakeFrom(limit, max - count, read);
            count += taken;
            if (taken == 0)
            {
                PassOver(limit, Position.Segment == end.Segment);
            }
        }
    }

    /// <summary>Goes back: what was read since will be read again.</summary>
    public void Return(LogPosition before)
    {
        file?.Dispose();
        (file, Position, expected) = (null, before, null);
    }

    public void Dispose() => file?.Dispose();

    private int TakeFrom(long limit, int max, Action<LogRecord> read)
    {
        var available = RandomAccess.Read(file!, buffer.AsSpan(0, (int)Math.Min(buffer.Length, limit - Position.Offset)), Position.Offset);
        var (count, at) = (0, 0);
        while (count < max && Frame.TryRead(buffer.AsSpan(at, available - at), Position.Segment, out var frame))
        {
            if (expected is { } next && frame.Sequence != next)
            {
                damaged(new Damage(Position, 0, false)); // A frame that was overwritten by zeros leaves no other trace.
            }

            expected = frame.Sequence + 1;
            read(new LogRecord(frame.Sequence, frame.Kind, buffer.AsSpan(at + Frame.HeaderSize, frame.Length).ToArray()));
            at += frame.Size;
            Position = Position with { Offset = Position.Offset + frame.Size };
            count++;
        }

        if (count == 0 && available == buffer.Length && buffer.Length < Frame.MaxPayload * 2)
        {
            buffer = new byte[Frame.MaxPayload * 2];
            return TakeFrom(limit, max, read);
        }

        return count;
    }

    /// <summary>Goes on behind what is no whole frame: the zeros at the end of a full segment, or damage.</summary>
    private void PassOver(long limit, bool isLast)
    {
        var rest = new byte[limit - Position.Offset];
        var size = RandomAccess.Read(file!, rest, Position.Offset);
        var next = Frame.Alignment;
        while (next < size && !Frame.TryRead(rest.AsSpan(next, size - next), Position.Segment, out _))
        {
            next += Frame.Alignment;
        }

        if (isLast || next < size || rest.AsSpan().ContainsAnyExcept((byte)0))
        {
            damaged(new Damage(Position, Math.Min(next, rest.Length), false));
            expected = null;
        }

        if (next < size || isLast)
        {
            Position = Position with { Offset = next < size ? Position.Offset + next : limit };
            return;
        }

        file!.Dispose();
        file = null;
        Position = new LogPosition(Position.Segment + 1, Segment.HeaderSize);
    }
}
