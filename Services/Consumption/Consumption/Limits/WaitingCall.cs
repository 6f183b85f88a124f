using System.Threading.Tasks.Sources;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>What travels together.</summary>
internal sealed class LaneBatch
{
    public List<WaitingCall> Asked { get; } = [];

    public List<Release> Releases { get; } = [];
}

/// <summary>A call that waits for its answer, which it is given once.</summary>
internal sealed class WaitingCall(Reservation reservation, long expires) : IValueTaskSource<LimitAnswer>
{
    private ManualResetValueTaskSourceCore<LimitAnswer> answer;
    private int done;

    public Reservation Reservation { get; } = reservation;

    /// <summary>When the caller's time is over, as a timestamp of ours.</summary>
    public long Expires { get; } = expires;

    /// <summary>The same by Redis's clock, µs: the latest that was ever sent.</summary>
    public long Deadline { get; private set; }

    /// <summary>How often it was sent.</summary>
    public int Times { get; private set; }

    /// <summary>To be awaited once.</summary>
    public ValueTask<LimitAnswer> Answer => new(this, answer.Version);

    /// <summary>Whether it has its answer, was given up, or left.</summary>
    public bool IsDone => Volatile.Read(ref done) != 0;

    public void Sent(long deadline) => (Deadline, Times) = (Math.Max(Deadline, deadline), Times + 1);

    /// <summary>Gives the answer, unless it is done.</summary>
    /// <param name="told">The answer.</param>
    /// <param name="here">Whether the caller goes on on this thread; else on another.</param>
    public bool TryAnswer(LimitAnswer told, bool here = false)
    {
        if (!TryEnd(here))
        {
            return false;
        }

        answer.SetResult(told);
        return true;
    }

    /// <summary>Gives it up, unless it is done.</summary>
    public bool TryFail(Exception reason)
    {
        if (!TryEnd(here: false))
        {
            return false;
        }

        answer.SetException(reason);
        return true;
    }

    LimitAnswer IValueTaskSource<LimitAnswer>.GetResult(short token) => answer.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<LimitAnswer>.GetStatus(short token) => answer.GetStatus(token);

    void IValueTaskSource<LimitAnswer>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => answer.OnCompleted(continuation, state, token, flags);

    private bool TryEnd(bool here)
    {
        if (Interlocked.Exchange(ref done, 1) != 0)
        {
            return false;
        }

        answer.RunContinuationsAsynchronously = !here;
        return true;
    }
}
