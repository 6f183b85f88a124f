namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// Redis's clock as this process can know it: an answer says what it was, and is read later; so the latest reading, corrected by our own
/// monotonic clock, is never ahead of it by more than the two clocks drift apart.
/// </summary>
internal sealed class RedisClock(TimeProvider time)
{
    // Set back by more than this, it is another clock, or was corrected.
    private const long Correction = 1_000_000;
    private long offset = long.MinValue;

    /// <summary>Whether it was heard yet.</summary>
    public bool IsKnown => Volatile.Read(ref offset) != long.MinValue;

    /// <summary>An answer says that it was this, in µs since 1970.</summary>
    public void Heard(long microseconds)
    {
        var heard = microseconds - Own(time.GetTimestamp());
        var known = Volatile.Read(ref offset);
        if (heard > known || known - heard > Correction)
        {
            Interlocked.CompareExchange(ref offset, heard, known);
        }
    }

    /// <summary>What is known was wrong: an answer says that it is this.</summary>
    public void Correct(long microseconds) => Volatile.Write(ref offset, microseconds - Own(time.GetTimestamp()));

    /// <summary>What it shows at a timestamp of <see cref="TimeProvider"/>, in µs since 1970.</summary>
    public long At(long timestamp) => Own(timestamp) + Volatile.Read(ref offset);

    private long Own(long timestamp) => (long)(timestamp * (1_000_000d / time.TimestampFrequency));
}
