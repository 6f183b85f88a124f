namespace LlmMarketplace.Consumption.Limits;

/// <summary>What travels together.</summary>
internal sealed class LaneBatch
{
    public List<WaitingCall> Asked { get; } = [];

    public List<Release> Releases { get; } = [];
}

/// <summary>A call that waits; its task is the answer.</summary>
internal sealed class WaitingCall(Reservation reservation, long expires) : TaskCompletionSource<LimitAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public Reservation Reservation { get; } = reservation;

    /// <summary>When the caller's time is over, as a timestamp of ours.</summary>
    public long Expires { get; } = expires;

    /// <summary>The same by Redis's clock, µs: the latest that was ever sent.</summary>
    public long Deadline { get; private set; }

    /// <summary>How often it was sent.</summary>
    public int Times { get; private set; }

    public void Sent(long deadline) => (Deadline, Times) = (Math.Max(Deadline, deadline), Times + 1);
}
