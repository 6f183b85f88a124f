namespace LlmMarketplace.Messaging;

/// <summary>Waits that double from 100 ms to 5 s, for what is away and will come back.</summary>
internal sealed class Backoff(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);
    private TimeSpan next = First;

    /// <summary>True until the first wait after <see cref="Reset"/>: the moment to log.</summary>
    public bool IsFirst => next == First;

    public Task WaitAsync(CancellationToken cancellationToken)
    {
        var wait = next;
        next = wait * 2 < Longest ? wait * 2 : Longest;
        return Task.Delay(wait, time, cancellationToken);
    }

    public void Reset() => next = First;
}
