using System.Collections.Concurrent;

namespace LlmMarketplace.Embedded;

/// <summary>
/// The one thread that starts child processes. Linux sends a child's death signal when the *thread* that forked it ends, so a thread of the pool,
/// which may go at any time, would take its children with it; this one lives as long as the process.
/// </summary>
internal static class ParentThread
{
    private static readonly BlockingCollection<Action> Work = [];

    static ParentThread() => new Thread(Serve) { IsBackground = true, Name = "parent of the embedded servers" }.Start();

    public static Task<T> RunAsync<T>(Func<T> start)
    {
        var result = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Work.Add(() =>
        {
            try
            {
                result.SetResult(start());
            }
#pragma warning disable CA1031 // whatever it is belongs to the caller, and must not end this thread
            catch (Exception e)
#pragma warning restore CA1031
            {
                result.SetException(e);
            }
        });
        return result.Task;
    }

    private static void Serve()
    {
        foreach (var action in Work.GetConsumingEnumerable())
        {
            action();
        }
    }
}
