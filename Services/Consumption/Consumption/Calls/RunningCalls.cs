using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Keys;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>The calls under way in this instance, to be ended when their key is revoked with them, or when the instance stops.</summary>
internal sealed class RunningCalls(KeyRing keys)
{
    private static readonly CallRefusal Revoked = new(CallFailure.RevokedKey, "The API key was revoked, and its running calls with it.");

    private readonly ConcurrentDictionary<Guid, RunningCall> calls = new();
    private readonly TaskCompletionSource none = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool isStopping;
    private volatile bool isClosed;

    /// <summary>Whether the instance is about to take no more calls: balancers should send none.</summary>
    public bool IsStopping => isStopping;

    /// <summary>How many there are.</summary>
    public int Count => calls.Count;

    /// <summary>One of them by the id that its caller was told, as long as it is under way.</summary>
    public RunningCall? Find(Guid id) => calls.GetValueOrDefault(id);

    /// <summary>Takes a call in, until what is returned is disposed.</summary>
    /// <returns>Null: no call is taken any more.</returns>
    public RunningCall? Enter(HttpContext http, Guid id)
    {
        var running = new RunningCall(this, http, id);
        calls[id] = running;
        if (!isClosed)
        {
            return running;
        }

        running.Dispose(); // It stood there first: so whoever closes sees it, or it sees that it is closed.
        return null;
    }

    /// <summary>Ends the calls of these keys; they are known as ended before.</summary>
    public void EndOf(IEnumerable<Key> ended)
    {
        if (ended.Select(key => key.Id).ToHashSet() is { Count: > 0 } ids)
        {
            foreach (var running in calls.Values.Where(running => running.Key is { } key && ids.Contains(key)))
            {
                running.End(Revoked);
            }
        }
    }

    /// <summary>Notes that no call is to be sent here any more.</summary>
    public void StopSoon() => isStopping = true;

    /// <summary>Takes no more calls. The task ends with the last one under way.</summary>
    public Task Close()
    {
        (isStopping, isClosed) = (true, true);
        NoteNone();
        return none.Task;
    }

    /// <summary>Ends all that are under way.</summary>
    public void End(CallRefusal why)
    {
        foreach (var running in calls.Values)
        {
            running.End(why);
        }
    }

    /// <summary>Hangs up on their callers.</summary>
    public void Abort()
    {
        foreach (var running in calls.Values)
        {
            running.Abort();
        }
    }

    private bool AreEnded(Key key) => keys.Find(key.Identifier)?.CallsEndedAt is not null;

    private void Remove(Guid call)
    {
        calls.TryRemove(call, out _);
        NoteNone();
    }

    private void NoteNone()
    {
        if (isClosed && calls.IsEmpty)
        {
            none.TrySetResult();
        }
    }

    /// <summary>One of them, fallbacks included.</summary>
    internal sealed class RunningCall(RunningCalls all, HttpContext http, Guid id) : IDisposable
    {
        private readonly Lock gate = new();
        private Call? call;
        private CallClock? clock;
        private CallRefusal? endedBy;
        private bool isOver;

        /// <summary>What is forwarded now.</summary>
        public Call? Call => call;

        /// <summary>The key of the call that is forwarded now.</summary>
        public Guid? Key => call?.Key!.Id;

        /// <summary>It is forwarded, until what is returned is disposed, which has to come before its clock's.</summary>
        /// <param name="admitted">An admitted call.</param>
        /// <param name="until">What stops the forwarding.</param>
        public Forwarding Forward(Call admitted, CallClock until)
        {
            lock (gate)
            {
                (call, clock) = (admitted, until);
                Stop();
            }

            if (all.AreEnded(admitted.Key!))
            {
                End(Revoked); // After the call's admission, and before it stood here.
            }

            return new Forwarding(this);
        }

        /// <summary>Stops the provider, now or as soon as the call is forwarded, and does not wait for a caller who does not read.</summary>
        public void End(CallRefusal why)
        {
            lock (gate)
            {
                endedBy ??= why;
                Stop();
            }
        }

        public void Abort()
        {
            lock (gate)
            {
                if (!isOver)
                {
                    http.Abort();
                }
            }
        }

        public void Dispose()
        {
            lock (gate)
            {
                isOver = true;
            }

            all.Remove(id);
        }

        private void Stop()
        {
            if (endedBy is { } why && call is { EndedBy: null })
            {
                call.EndedBy = why;
                clock!.Stop();
                http.Response.BodyWriter.CancelPendingFlush();
            }
        }

        private void Forwarded()
        {
            lock (gate)
            {
                (call, clock) = (null, null);
            }
        }

        /// <summary>As long as a provider works for it.</summary>
        internal readonly struct Forwarding(RunningCall running) : IDisposable
        {
            public void Dispose() => running.Forwarded();
        }
    }
}
