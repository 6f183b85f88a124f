using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Keys;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>The calls that this instance forwards now, to be ended when their key is revoked with them.</summary>
internal sealed class RunningCalls(KeyRing keys)
{
    private readonly ConcurrentDictionary<Guid, RunningCall> calls = new();

    /// <summary>Takes part until it is disposed, which has to come before its deadline's.</summary>
    /// <param name="call">An admitted call.</param>
    /// <param name="deadline">What stops the forwarding.</param>
    public RunningCall Add(Call call, CancellationTokenSource deadline)
    {
        var running = new RunningCall(this, call, deadline);
        calls[call.Id] = running;
        if (keys.Find(call.Key!.Identifier)?.CallsEndedAt is not null)
        {
            running.End(); // The key was revoked after the call's admission, and before it stood here.
        }

        return running;
    }

    /// <summary>Ends the calls of these keys; they are known as ended before.</summary>
    public void EndOf(IEnumerable<Key> ended)
    {
        if (ended.Select(key => key.Id).ToHashSet() is { Count: > 0 } ids)
        {
            foreach (var running in calls.Values.Where(running => ids.Contains(running.Key)))
            {
                running.End();
            }
        }
    }

    private void Remove(Guid call) => calls.TryRemove(call, out _);

    /// <summary>One of them.</summary>
    internal sealed class RunningCall(RunningCalls all, Call call, CancellationTokenSource deadline) : IDisposable
    {
        private readonly Lock gate = new();
        private bool isOver;

        public Guid Key => call.Key!.Id;

        /// <summary>Stops the provider, and does not wait for a caller who does not read.</summary>
        public void End()
        {
            lock (gate)
            {
                if (!isOver)
                {
                    call.IsEnded = true;
                    _ = deadline.CancelAsync();
                    call.Http.Response.BodyWriter.CancelPendingFlush();
                }
            }
        }

        public void Dispose()
        {
            all.Remove(call.Id);
            lock (gate)
            {
                isOver = true;
            }
        }
    }
}
