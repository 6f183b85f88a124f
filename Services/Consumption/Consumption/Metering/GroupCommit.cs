using System.Threading.Channels;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// One writer for many who wait: whoever comes while a write is under way shares the next one. Nobody waits for a timer; under load batches grow
/// by themselves.
/// </summary>
internal sealed class GroupCommit<TItem, TResult>(int maxBatch, Func<IReadOnlyList<TItem>, Task<IReadOnlyList<TResult>>> writeAsync)
{
    private readonly Channel<(TItem Item, TaskCompletionSource<TResult> Done)> waiting =
        Channel.CreateUnbounded<(TItem, TaskCompletionSource<TResult>)>(new() { SingleReader = true });

    /// <summary>Hands in an item; ends when the batch that holds it is written, or failed.</summary>
    public Task<TResult> WriteAsync(TItem item)
    {
        var done = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!waiting.Writer.TryWrite((item, done)))
        {
            done.SetException(new ObjectDisposedException(nameof(GroupCommit<,>), "This instance is stopping."));
        }

        return done.Task;
    }

    /// <summary>Nothing comes any more: <see cref="RunAsync"/> ends when all is written.</summary>
    public void Complete() => waiting.Writer.TryComplete();

    /// <summary>Writes until <see cref="Complete"/>.</summary>
    public async Task RunAsync()
    {
        var items = new List<TItem>(maxBatch);
        var waiters = new List<TaskCompletionSource<TResult>>(maxBatch);
        while (await waiting.Reader.WaitToReadAsync())
        {
            while (items.Count < maxBatch && waiting.Reader.TryRead(out var next))
            {
                items.Add(next.Item);
                waiters.Add(next.Done);
            }

            try
            {
                var results = await writeAsync(items);
                for (var i = 0; i < waiters.Count; i++)
                {
                    waiters[i].SetResult(results[i]);
                }
            }
#pragma warning disable CA1031 // Whatever it is, it belongs to those who wait, and the next batch must go on.
            catch (Exception failure)
#pragma warning restore CA1031
            {
                waiters.ForEach(waiter => waiter.SetException(failure));
            }

            items.Clear();
            waiters.Clear();
        }
    }
}
