namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>A place in the log, at a frame's beginning.</summary>
/// <param name="Segment">Number of the segment.</param>
/// <param name="Offset">Bytes from its beginning.</param>
internal readonly record struct LogPosition(uint Segment, long Offset) : IComparable<LogPosition>
{
    public int CompareTo(LogPosition other) => Segment != other.Segment ? Segment.CompareTo(other.Segment) : Offset.CompareTo(other.Offset);

    public static bool operator <(LogPosition left, LogPosition right) => left.CompareTo(right) < 0;

    public static bool operator >(LogPosition left, LogPosition right) => left.CompareTo(right) > 0;

    public static bool operator <=(LogPosition left, LogPosition right) => left.CompareTo(right) <= 0;

    public static bool operator >=(LogPosition left, LogPosition right) => left.CompareTo(right) >= 0;
}

/// <summary>An entry as it was read.</summary>
/// <param name="Sequence">Its place.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Payload">Its bytes.</param>
internal readonly record struct LogRecord(long Sequence, EntryKind Kind, byte[] Payload);

/// <summary>Bytes that are no frame, where a frame or nothing should be.</summary>
/// <param name="At">Where they begin.</param>
/// <param name="Bytes">How many, up to the next whole frame or the end of the segment.</param>
/// <param name="Last">No whole frame follows in the log: a write was torn, and was acknowledged to nobody unless the disk lies.</param>
internal readonly record struct Damage(LogPosition At, long Bytes, bool Last);

/// <summary>
/// Reads what another process left. Every whole frame is read, whatever lies between; what lies between is told: torn where the log ends, damaged
/// elsewhere. A missing sequence is damage too: a frame that was overwritten by zeros leaves no other trace.
/// </summary>
internal static class LogReader
{
    /// <summary>Reads a folder's segments.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="found">Takes the damage, once all is read.</param>
    /// <returns>The entries, in order.</returns>
    /// <exception cref="LogFormatException">A newer program wrote it.</exception>
    public static IEnumerable<LogRecord> Read(string folder, List<Damage> found)
    {
        var expected = 0L;
        var lastWhole = default(LogPosition);
        foreach (var number in Segment.In(folder))
        {
            var entries = new List<LogRecord>();
            ReadSegment(File.ReadAllBytes(Segment.PathOf(folder, number)), number, entries, found, ref expected, ref lastWhole);
            foreach (var entry in entries)
            {
                yield return entry;
            }
        }

        for (var i = 0; i < found.Count; i++)
        {
            found[i] = found[i] with { Last = found[i].At > lastWhole };
        }
    }

    private static void ReadSegment(byte[] bytes, uint number, List<LogRecord> read, List<Damage> found, ref long expected, ref LogPosition lastWhole)
    {
        var whole = Segment.IsHeader(bytes, number);
        if (!whole)
        {
            found.Add(new Damage(new LogPosition(number, 0), Math.Min(bytes.Length, Segment.HeaderSize), false));
        }

        long at = Segment.HeaderSize;
        var damagedFrom = -1L;
        while (at < bytes.Length)
        {
            var rest = bytes.AsSpan((int)at);
            if (Frame.TryRead(rest, number, out var frame) && frame.Sequence >= expected)
            {
                if (damagedFrom < 0 && expected != 0 && frame.Sequence != expected)
                {
                    damagedFrom = at;
                }

                Note(damagedFrom, at);
                damagedFrom = -1;
                lastWhole = new LogPosition(number, at);
                read.Add(new LogRecord(frame.Sequence, frame.Kind, rest.Slice(Frame.HeaderSize, frame.Length).ToArray()));
                expected = frame.Sequence + 1;
                at += frame.Size;
                continue;
            }

            var nonZero = rest.IndexOfAnyExcept((byte)0);
            if (nonZero < 0)
            {
                break;
            }

            at += nonZero & ~(Frame.Alignment - 1);
            damagedFrom = damagedFrom < 0 ? at : damagedFrom;
            if (nonZero < Frame.Alignment)
            {
                at += Frame.Alignment;
            }
        }

        Note(damagedFrom, bytes.Length);
        if (whole && Segment.LengthIn(bytes) > bytes.Length)
        {
            found.Add(new Damage(new LogPosition(number, bytes.Length), Segment.LengthIn(bytes) - bytes.Length, false));
        }

        void Note(long from, long to)
        {
            if (from >= 0)
            {
                found.Add(new Damage(new LogPosition(number, from), to - from, false));
            }
        }
    }
}

/// <summary>The log was written in a format that this program does not know.</summary>
internal sealed class LogFormatException(string message) : Exception(message);
