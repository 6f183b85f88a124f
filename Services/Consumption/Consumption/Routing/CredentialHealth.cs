namespace LlmMarketplace.Consumption.Routing;

/// <summary>
/// What this instance knows of one credential at one address. A 429 sets it aside for as long as the provider says, an hour at most: it is not used at all then. A 401, 402 or 403 sets it aside for a minute, and
/// then for one call to try: as callers can bring about a 403 by what they ask for, it is then only used last, never refused.
/// </summary>
internal sealed class CredentialHealth(TimeProvider time)
{
    private static readonly TimeSpan AsideFor = TimeSpan.FromSeconds(60);

    /// <summary>How long others wait for the outcome of the one call that tries.</summary>
    private static readonly TimeSpan TryFor = TimeSpan.FromSeconds(10);

    /// <summary>Longer than this no provider is taken at its word: a date in the wrong century would shut its service for good.</summary>
    private static readonly TimeSpan LongestBusy = TimeSpan.FromHours(1);

    private long busyUntil;
    private long asideUntil;

    /// <summary>How long the provider wants not to see it; zero when it may be used.</summary>
    public TimeSpan BusyFor
    {
        get
        {
            var (until, now) = (Volatile.Read(ref busyUntil), time.GetTimestamp());
            return until <= now ? TimeSpan.Zero : time.GetElapsedTime(now, until);
        }
    }

    /// <summary>Whether the provider refused it a short time ago.</summary>
    public bool IsAside => Volatile.Read(ref asideUntil) is var until && until != 0 && until > time.GetTimestamp();

    /// <summary>Whether a call may use it now. After it was set aside, only one may until that has an outcome.</summary>
    public bool TryEnter() => TryEnter(out _);

    /// <inheritdoc cref="TryEnter()"/>
    /// <param name="until">Of the one try, when others may again, for <see cref="GiveBack"/>; 0: others may use it too.</param>
    public bool TryEnter(out long until)
    {
        until = 0;
        if (BusyFor > TimeSpan.Zero)
        {
            return false;
        }

        var aside = Volatile.Read(ref asideUntil);
        if (aside == 0)
        {
            return true;
        }

        var tried = Until(TryFor);
        if (aside > time.GetTimestamp() || Interlocked.CompareExchange(ref asideUntil, tried, aside) != aside)
        {
            return false;
        }

        until = tried;
        return true;
    }

    /// <summary>The call that was to try it is not sent: another one may.</summary>
    public void GiveBack(long until) => Interlocked.CompareExchange(ref asideUntil, time.GetTimestamp(), until);

    /// <summary>It was taken.</summary>
    public void Accepted()
    {
        if (Volatile.Read(ref asideUntil) != 0)
        {
            Volatile.Write(ref asideUntil, 0);
        }
    }

    /// <summary>It was answered with 401, 402 or 403.</summary>
    public void Refused() => Volatile.Write(ref asideUntil, Until(AsideFor));

    /// <summary>It was answered with 429.</summary>
    public void Busy(TimeSpan wait)
    {
        var until = Until(wait < LongestBusy ? wait : LongestBusy);
        for (var known = Volatile.Read(ref busyUntil); known < until;)
        {
            var seen = Interlocked.CompareExchange(ref busyUntil, until, known);
            if (seen == known)
            {
                return;
            }

            known = seen;
        }
    }

    private long Until(TimeSpan span) => time.GetTimestamp() + (long)(span.TotalSeconds * time.TimestampFrequency);
}
