using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// How long a provider is waited for. One timer, wound up anew for each wait:
/// <code>
/// call sent ── first byte ──► answer begins ── idle ──► chunk ── idle ──► chunk … last byte
///     ├───────────────────────────── total ─────────────────────────────────────┤
/// </code>
/// A connection has a time of its own, before the first byte: see <see cref="ProviderClient"/>.
/// </summary>
internal sealed class CallClock : IDisposable
{
    private readonly CancellationTokenSource source;
    private readonly TimeProvider time;
    private readonly long startedAt;
    private readonly TimeSpan total;
    private readonly TimeSpan firstByte;
    private readonly TimeSpan idle;
    private CallFailure waiting;
    private volatile bool isStopped;

    /// <param name="specification">Of the version that is called.</param>
    /// <param name="isStream">Whether a stream is asked for.</param>
    /// <param name="longestStream">The whole time of a stream whose listing sets none.</param>
    /// <param name="time">The clock.</param>
    public CallClock(ServiceSpecification specification, bool isStream, TimeSpan longestStream, TimeProvider time)
    {
        var (set, otherwise) = (specification.Endpoint.Timeouts, TimeSpan.FromMilliseconds(specification.Sla.TimeoutMs));
        (this.time, startedAt) = (time, time.GetTimestamp());
        total = Of(set?.TotalMs) ?? (isStream ? longestStream : otherwise);
        firstByte = Of(set?.FirstByteMs) ?? (isStream ? otherwise : total);
        idle = Of(set?.IdleMs) ?? otherwise;
        source = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
    }

    /// <summary>Falls when the time that is waited for has run out, or the call is stopped.</summary>
    public CancellationToken Token => source.Token;

    /// <summary>Whether it has.</summary>
    public bool RanOut => source.IsCancellationRequested && !isStopped;

    /// <summary>Which time it was.</summary>
    public CallFailure Failure => waiting;

    /// <summary>The same, as an attempt's error.</summary>
    public string Error => waiting switch
    {
        CallFailure.ProviderFirstByteTimeout => "first-byte-timeout",
        CallFailure.ProviderIdleTimeout => "idle-timeout",
        _ => "timeout",
    };

    /// <summary>A call is sent, and its answer waited for.</summary>
    public void AwaitFirstByte() => Await(CallFailure.ProviderFirstByteTimeout, firstByte);

    /// <summary>The next chunk of a stream is waited for.</summary>
    public void AwaitChunk() => Await(CallFailure.ProviderIdleTimeout, idle);

    /// <summary>The caller is waited for, who takes what came at a pace of its own: however long that is, the provider is not silent.</summary>
    public void AwaitCaller() => Await(CallFailure.ProviderTimeout, total);

    /// <summary>The rest of a whole answer is waited for.</summary>
    public void AwaitRest() => Await(CallFailure.ProviderTimeout, total);

    /// <summary>The call is not to go on, however much time is left.</summary>
    public void Stop()
    {
        isStopped = true;
        _ = source.CancelAsync();
    }

    public void Dispose() => source.Dispose();

    private static TimeSpan? Of(int? milliseconds) => milliseconds is { } set ? TimeSpan.FromMilliseconds(set) : null;

    private void Await(CallFailure failure, TimeSpan longest)
    {
        if (source.IsCancellationRequested)
        {
            return;
        }

        var left = total - time.GetElapsedTime(startedAt);
        (waiting, var next) = longest < left ? (failure, longest) : (CallFailure.ProviderTimeout, left);
        source.CancelAfter(next > TimeSpan.Zero ? next : TimeSpan.Zero);
    }
}
