using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>Follows the log that this process itself writes, as far as it is on disk; so what waits to be shipped takes no memory.</summary>
internal sealed class LogTail(string folder, LogPosition from) : IDisposable
{
    private byte[] buffer = new byte[256 * 1024];
    private SafeFileHandle? file;
    private long length;

    /// <summary>Up to where entries were read.</summary>
    public LogPosition Position { get; private set; } = from;

    /// <summary>Reads the entries that follow, some of them; none when <paramref name="end"/> is reached.</summary>
    /// <exception cref="LogUnavailableException">What was synced is not there any more.</exception>
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
                if (Position.Segment == end.Segment)
                {
                    throw new LogUnavailableException($"The usage log is damaged at {Position}.", null);
                }

                file.Dispose();
                file = null;
                Position = new LogPosition(Position.Segment + 1, Segment.HeaderSize);
            }
        }
    }

    /// <summary>Goes back: what was read since will be read again.</summary>
    public void Return(LogPosition before)
    {
        file?.Dispose();
        (file, Position) = (null, before);
    }

    public void Dispose() => file?.Dispose();

    private int TakeFrom(long limit, int max, Action<LogRecord> read)
    {
        var available = RandomAccess.Read(file!, buffer.AsSpan(0, (int)Math.Min(buffer.Length, limit - Position.Offset)), Position.Offset);
        var (count, at) = (0, 0);
        while (count < max && Frame.TryRead(buffer.AsSpan(at, available - at), Position.Segment, out var frame))
        {
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
}
