namespace LlmMarketplace.Consumption.Routing;

/// <summary>
/// What this instance knows of one address: how fast it answers, and whether it is worth asking.
/// <code>
/// closed ── 5 failures within 60 s, no success between ──► open ── 30 s ──► half open: one call tries
///    ▲                                                       ▲                      │
///    ├──────────────── it succeeds ──────────────────────────┼──────────────────────┤
///    │                                                       ├───── it fails ───────┤
///    └── succeeds ── on probation: all may call ── fails ────┘◄── its answer begins ┘
/// </code>
/// A call has succeeded when its answer is whole: one that is broken off, or falls silent, after its first byte counts as a failure, though it had begun well. As a stream may last for
/// minutes, others need not wait for its end: once the answer to the one try begins, they may call, and the next failure opens it again.
/// What the provider says of a credential is kept apart (<see cref="CredentialHealth"/>). Nothing locks on the way of a call that goes well.
/// </summary>
internal sealed class EndpointHealth(TimeProvider time)
{
    private const int FailuresToOpen = 5;
    private const double NewestShare = 0.2;
    private static readonly TimeSpan FailuresWithin = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan OpenFor = TimeSpan.FromSeconds(30);

    private readonly Lock gate = new();
    private double latencyMs;
    private int failures;
    private long firstFailure;
    private long openUntil;
    private long tries;
    private long trying; // The number of the try under way; 0: there is none.

    /// <summary>Milliseconds to an answer's headers, newer ones counting more (an exponentially weighted moving average); 0: not known yet.</summary>
    public double LatencyMs => Volatile.Read(ref latencyMs);

    /// <summary>How long it is not to be asked; zero when it may be.</summary>
    public TimeSpan ClosedFor
    {
        get
        {
            var until = Volatile.Read(ref openUntil);
            var now = time.GetTimestamp();
            return until <= now ? TimeSpan.Zero : time.GetElapsedTime(now, until);
        }
    }

    /// <summary>Whether a call finds out if it may be asked again: no other is let through until that has an outcome.</summary>
    public bool IsBeingTried => Volatile.Read(ref openUntil) != 0 && Volatile.Read(ref trying) != 0;

    /// <summary>Whether a call may be sent now. After an opening, only one is let through until it has an outcome.</summary>
    public bool TryEnter() => TryEnter(out _);

    /// <inheritdoc cref="TryEnter()"/>
    /// <param name="number">Of the one try, for <see cref="GiveBack"/>; 0: others may call too.</param>
    public bool TryEnter(out long number)
    {
        number = 0;
        if (ClosedFor > TimeSpan.Zero)
        {
            return false;
        }

        if (Volatile.Read(ref openUntil) == 0)
        {
            return true;
        }

        lock (gate)
        {
            if (openUntil == 0)
            {
                return true;
            }

            if (trying != 0)
            {
                return false;
            }

            number = trying = ++tries;
            return true;
        }
    }

    /// <summary>
    /// Nothing was found out: the call that was to try it was not sent, its caller left before there was an outcome, or the provider is too busy to tell. Another one may try. A call that had no try
    /// gives none back, least of all another's.
    /// </summary>
    /// <param name="number">See <see cref="TryEnter(out long)"/>.</param>
    public void GiveBack(long number)
    {
        if (number == 0)
        {
            return;
        }

        lock (gate)
        {
            trying = trying == number ? 0 : trying;
        }
    }

    /// <summary>Its answer began: how it ends is told by <see cref="Succeeded"/> or <see cref="Failed"/>, or by nobody when the caller leaves.</summary>
    public void Answered(double milliseconds)
    {
        var known = LatencyMs;
        Volatile.Write(ref latencyMs, known == 0 ? milliseconds : known + ((milliseconds - known) * NewestShare)); // Of two at once one is forgotten: it is an average.
        if (Volatile.Read(ref openUntil) != 0)
        {
            lock (gate)
            {
                if (trying != 0)
                {
                    (failures, firstFailure, openUntil, trying) = (FailuresToOpen - 1, time.GetTimestamp(), 0, 0);
                }
            }
        }
    }

    /// <summary>It answered, to the end.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref failures) != 0 || Volatile.Read(ref openUntil) != 0)
        {
            lock (gate)
            {
                (failures, openUntil, trying) = (0, 0, 0);
            }
        }
    }

    /// <summary>It could not be reached, failed, or broke off.</summary>
    public void Failed()
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            if (failures == 0 || time.GetElapsedTime(firstFailure, now) > FailuresWithin)
            {
                (failures, firstFailure) = (0, now);
            }

            failures++;
            if (trying != 0 || failures >= FailuresToOpen)
            {
                openUntil = now + Ticks(OpenFor);
                trying = 0;
            }
        }
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
