namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>
/// Keeps calls from waiting, each for itself, for a cache that does not answer: after a look that failed none is taken for a while, then one call looks, and the others go on without until it has found
/// out. A call that leaves before it has leaves that to the next one, a while later.
/// </summary>
/// <param name="lasts">How long a pause is.</param>
/// <param name="time">The clock.</param>
internal sealed class LookPause(TimeSpan lasts, TimeProvider time)
{
    private long until; // 0: there is none.

    /// <summary>Whether a call may look.</summary>
    public bool TryLook()
    {
        var known = Volatile.Read(ref until);
        return known == 0 || (known <= time.GetTimestamp() && Interlocked.CompareExchange(ref until, Next(), known) == known);
    }

    /// <summary>It was not answered.</summary>
    public void Begin() => Volatile.Write(ref until, Next());

    /// <summary>It was answered.</summary>
    public void End()
    {
        if (Volatile.Read(ref until) != 0)
        {
            Volatile.Write(ref until, 0);
        }
    }

    private long Next() => time.GetTimestamp() + (long)(lasts.TotalSeconds * time.TimestampFrequency);
}
