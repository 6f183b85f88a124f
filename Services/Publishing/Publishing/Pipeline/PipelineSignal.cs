namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>Wakes whoever in this process works on runs or watches them. Only saves time: they look by themselves as well.</summary>
internal sealed class PipelineSignal
{
    private TaskCompletionSource next = New();

    public void Notify() => Interlocked.Exchange(ref next, New()).SetResult();

    /// <summary>Completes at the next <see cref="Notify"/>. Take it before you look, or what comes between is missed until the patience ends.</summary>
    public Task Next => Volatile.Read(ref next).Task;

    public static async Task WaitAsync(Task signal, TimeSpan patience, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(signal, Task.Delay(patience, ended.Token)).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
