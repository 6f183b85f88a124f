using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>What all lanes share.</summary>
internal sealed record LaneServices(LimitScripts Scripts, RedisClock Clock, Counters Counters, RedisRuns Runs, Departures Departures, LimitOptions Options, TimeProvider Time, ILogger<CallLimits> Logger);

/// <summary>
/// The way of one organisation's calls to Redis and back. One script is under way at a time; what comes meanwhile shares the next:
/// <code>
/// admissions ──┐                       ┌─ answered: each caller has its own
/// settlements ─┴─ trip ── calls.lua ───┼─ silence: the same trip again, under the same ids, until the callers' time is over
///   (wait ≤ SettleWithin                └─ given up: released by id; a copy that comes after its deadline changes nothing,
///    for company)                          one that could still come before it finds a trace that refuses it
/// </code>
/// </summary>
internal sealed partial class Lane : IDisposable
{
    private readonly Guid organisation;
    private readonly LaneServices services;
    private readonly Lock gate = new();
    private readonly Queue<WaitingCall> admissions = new();
    private readonly Dictionary<Guid, long> retried = [];
    private readonly List<(Release Release, long Due)> traces = [];
    private readonly ITimer timer;
    private readonly Allowance? allowance;
    private List<Release> releases = [];
    private Task travel = Task.CompletedTask;
    private (WaitingCall Waiting, LimitAnswer Told)? last; // Of the trip that has just ended, not told yet.
    private bool travelling;
    private bool due;
    private bool enlisted;
    private bool failing;
    private long triedAgain; // When the next call may find out whether Redis is back; until then, or while one is at it, none waits for it.
    private long generation; // That the counters had last.

    public Lane(Guid organisation, LaneServices services)
    {
        (this.organisation, this.services) = (organisation, services);
        allowance = services.Options.WhenAway == AwayMode.Open ? new Allowance(services.Options.OpenShare) : null;
        timer = services.Time.CreateTimer(_ => Depart(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Reserves or refuses.</summary>
    /// <exception cref="LimitsUnavailableException">No answer in time, or too many wait: nothing is reserved, or it is given back.</exception>
    public async Task<LimitAnswer> ReserveAsync(Reservation asked, CancellationToken cancellationToken)
    {
        if (allowance is not null && IsKnownAway() && Own(asked) is { } own)
        {
            return own;
        }

        var waiting = new WaitingCall(asked, services.Time.GetTimestamp() + Ticks(services.Options.Timeout));
        lock (gate)
        {
            if (admissions.Count >= services.Options.MaxWaiting)
            {
                throw new LimitsUnavailableException("Too many calls wait for admission.", null);
            }

            admissions.Enqueue(waiting);
        }

        Start();
        await using var registration = cancellationToken.UnsafeRegister(static (left, token) => ((WaitingCall)left!).TryFail(new OperationCanceledException(token)), waiting);
        return await waiting.Answer;
    }

    /// <summary>Hands in a settlement. It travels with the next admission, or by itself before long, again and again until it arrived.</summary>
    public void Settle(Release release)
    {
        bool full;
        allowance?.Settle(release);
        lock (gate)
        {
            releases.Add(retried.Remove(release.Call, out var deadline) ? release with { Deadline = deadline } : release);
            full = !travelling && !failing && releases.Count >= services.Options.MaxBatch;
            if (!full && !travelling && (!failing || releases.Count == 1))
            {
                Enlist();
            }
        }

        if (full)
        {
            Depart();
        }
    }

    /// <summary>Sends what is left, as far as Redis takes it.</summary>
    public async Task DrainAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Depart();
            Task under;
            lock (gate)
            {
                under = travel;
            }

            await under.WaitAsync(cancellationToken);
            await Task.Yield();
            lock (gate)
            {
                if (failing || (releases.Count == 0 && !travelling))
                {
                    return;
                }
            }
        }
    }

    /// <summary>Whether nothing waits, is under way, or has to be taken back later.</summary>
    public bool IsSettled
    {
        get
        {
            lock (gate)
            {
                return !travelling && releases.Count == 0 && admissions.Count == 0 && traces.Count == 0;
            }
        }
    }

    public void Dispose() => timer.Dispose();

    /// <summary>Sends what waits, alone if it must.</summary>
    public void Depart()
    {
        lock (gate)
        {
            (due, enlisted) = (true, false);
        }

        Start();
    }

    private void Start()
    {
        lock (gate)
        {
            if (travelling)
            {
                return;
            }

            travelling = true;
        }

        var trips = TravelAsync();
        lock (gate)
        {
            travel = trips;
        }
    }

    private async Task TravelAsync()
    {
        while (true)
        {
            var ready = last;
            last = null; // From here on it may be another trip's: with nothing left to take, the next caller starts one.
            var batch = Take();
            if (ready is var (waiting, told))
            {
                Tell(waiting, told, here: batch is null);
            }

            if (batch is null)
            {
                return;
            }

            try
            {
                await TripAsync(batch);
            }
#pragma warning disable CA1031 // Whatever it is, it belongs to those who wait, and the next trip must go on.
            catch (Exception unexpected)
#pragma warning restore CA1031
            {
                GiveUp(batch, _ => true, unexpected);
                Return(batch);
            }
        }
    }

    private LaneBatch? Take()
    {
        lock (gate)
        {
            var now = services.Time.GetTimestamp();
            for (var i = traces.Count - 1; i >= 0; i--)
            {
                if (traces[i].Due <= now)
                {
                    releases.Add(traces[i].Release);
                    traces.RemoveAt(i);
                }
            }

            var max = services.Options.MaxBatch;
            var batch = new LaneBatch();
            while (batch.Asked.Count < max && admissions.TryDequeue(out var waiting))
            {
                if (!waiting.IsDone)
                {
                    batch.Asked.Add(waiting);
                }
            }

            if (batch.Asked.Count > 0 || (releases.Count > 0 && (due || (releases.Count >= max && !failing))))
            {
                var count = Math.Min(max, releases.Count);
                batch.Releases.AddRange(releases[..count]);
                releases.RemoveRange(0, count);
                due = due && releases.Count > 0;
                return batch;
            }

            (travelling, due) = (false, false);
            if (releases.Count > 0 && failing)
            {
                Arm(services.Options.TripTimeout);
            }
            else if (releases.Count > 0)
            {
                Enlist();
            }
            else if (traces.Count > 0)
            {
                Arm(services.Time.GetElapsedTime(now, traces.Min(trace => trace.Due)));
            }

            return null;
        }
    }

    /// <summary>Takes a batch there and back, until all of it is answered or given up.</summary>
    private async Task TripAsync(LaneBatch batch)
    {
        for (var pause = TimeSpan.FromMilliseconds(5); ; pause = Min(pause * 2, TimeSpan.FromMilliseconds(250)))
        {
            try
            {
                if (await TryTripAsync(batch))
                {
                    return;
                }
            }
            catch (Exception away) when (away is RedisException or TimeoutException or NpgsqlException or NotLeasedException)
            {
                Return(batch);
                if (away is RedisException or TimeoutException)
                {
                    AnswerOneself(batch);
                }

                var over = GiveUp(batch, waiting => waiting.Expires <= services.Time.GetTimestamp(), away);
                Log.Away(services.Logger, organisation, over, away);
                if (batch.Asked.Count == 0)
                {
                    return;
                }

                await Task.Delay(pause, services.Time);
            }
        }
    }

    private async Task<bool> TryTripAsync(LaneBatch batch)
    {
        var (time, clock, counters) = (services.Time, services.Clock, services.Counters);
        var breaks = services.Runs.Breaks;
        var expected = 0L;
        if (batch.Asked.Count > 0)
        {
            expected = await counters.GenerationAsync(organisation).AsTask().WaitAsync(allowance is null ? services.Options.Timeout : services.Options.TripTimeout, time);
        }

        if (!clock.IsKnown)
        {
            clock.Heard(await services.Scripts.TimeAsync(organisation).WaitAsync(services.Options.TripTimeout, time));
        }

        var asked = new List<(Reservation, long)>(batch.Asked.Count);
        foreach (var waiting in batch.Asked)
        {
            waiting.Sent(clock.At(waiting.Expires));
            asked.Add((waiting.Reservation, waiting.Deadline));
        }

        var answer = await services.Scripts.RunAsync(organisation, expected, batch.Releases, asked).WaitAsync(services.Options.TripTimeout, time);
        if (breaks != services.Runs.Breaks && batch.Asked.Count > 0)
        {
            return false; // Another Redis may have answered, with counters of its own: find out which, and ask again.
        }

        NoteTraces(batch.Releases, answer);
        batch.Releases.Clear();
        lock (gate)
        {
            failing = false;
        }

        if (allowance?.TakeDebt() == true)
        {
            counters.RebuildSoon(organisation); // Redis knows nothing of what was admitted without it.
        }

        var (built, again) = Deliver(batch, answer);
        batch.Asked.Clear();
        batch.Asked.AddRange(again);
        if (built)
        {
            generation = Math.Max(generation, expected);
            return again.Count == 0;
        }

        await counters.ReestablishAsync(organisation, expected).WaitAsync(services.Options.Timeout, time);
        GiveUp(batch, waiting => waiting.Expires <= time.GetTimestamp(), null);
        return batch.Asked.Count == 0;
    }

    /// <summary>Answers callers; gives those that have to be asked again, and whether the counters were those expected.</summary>
    private (bool Built, List<WaitingCall> Again) Deliver(LaneBatch batch, CallsAnswer answer)
    {
        var built = true;
        List<WaitingCall> again = [];
        for (var i = 0; i < batch.Asked.Count; i++)
        {
            var (waiting, told) = (batch.Asked[i], answer.Answers[i]);
            switch (told.Status)
            {
                case LimitStatus.Generation:
                    built = false;
                    again.Add(waiting);
                    break;
                case LimitStatus.Late when waiting.Expires > services.Time.GetTimestamp():
                    services.Clock.Correct(answer.Now);
                    again.Add(waiting);
                    break;
                case LimitStatus.Late:
                    waiting.TryFail(new LimitsUnavailableException("The limits did not answer in time.", null));
                    break;
                case var _ when i == batch.Asked.Count - 1 && again.Count == 0:
                    last = (waiting, told);
                    break;
                default:
                    Tell(waiting, told, here: false);
                    break;
            }
        }

        return (built, again);
    }

    /// <summary>Tells a caller its answer. With nothing else to do here, it goes on on this thread: to wake another one for it costs more than most of what it does there.</summary>
    private void Tell(WaitingCall waiting, LimitAnswer told, bool here)
    {
        var reserved = told.Status == LimitStatus.Admitted;
        if (reserved && waiting.Times > 1)
        {
            lock (gate)
            {
                retried[waiting.Reservation.Call] = waiting.Deadline; // Copies may still be under way when the call is settled.
            }
        }

        if (!waiting.TryAnswer(told, here) && reserved)
        {
            Settle(Limits.Release.OfAll(waiting.Reservation, waiting.Deadline));
        }
    }

    /// <summary>Those who left, and those who are to be given up, wait no more; what may have been reserved for them is given back.</summary>
    private int GiveUp(LaneBatch batch, Func<WaitingCall, bool> over, Exception? reason)
    {
        var count = batch.Asked.Count;
        batch.Asked.RemoveAll(waiting =>
        {
            if (!waiting.IsDone && !over(waiting))
            {
                return false;
            }

            if (waiting.Times > 0)
            {
                Release(waiting);
            }

            waiting.TryFail(new LimitsUnavailableException("The limits did not answer in time.", reason));
            return true;
        });
        return count - batch.Asked.Count;
    }

    private bool IsKnownAway()
    {
        lock (gate)
        {
            return failing && (travelling || services.Time.GetTimestamp() < triedAgain);
        }
    }

    private LimitAnswer? Own(Reservation asked) =>
        allowance?.Admit(asked, DateTimeOffset.UnixEpoch.AddMicroseconds(services.Clock.At(services.Time.GetTimestamp())), Volatile.Read(ref generation));

    /// <summary>Redis is away: answers those that wait, as far as this instance may. Should Redis have reserved for one of them all the same, that is settled with the call, under its id.</summary>
    private void AnswerOneself(LaneBatch batch) => batch.Asked.RemoveAll(waiting =>
    {
        if (waiting.IsDone || Own(waiting.Reservation) is not { } told)
        {
            return false;
        }

        if (waiting.Times > 0 && told.Status == LimitStatus.Admitted)
        {
            lock (gate)
            {
                retried[waiting.Reservation.Call] = waiting.Deadline;
            }
        }

        if (waiting.TryAnswer(told) && told.Status == LimitStatus.Admitted)
        {
            return true;
        }

        allowance!.Settle(Limits.Release.OfAll(waiting.Reservation));
        if (waiting.Times > 0)
        {
            Release(waiting);
        }

        return true;
    });

    private void Release(WaitingCall waiting)
    {
        lock (gate)
        {
            releases.Add(Limits.Release.OfAll(waiting.Reservation, waiting.Deadline));
            retried.Remove(waiting.Reservation.Call);
        }
    }

    private void NoteTraces(List<Release> sent, CallsAnswer answer)
    {
        for (var i = 0; i < sent.Count; i++)
        {
            if (answer.Traces[i])
            {
                lock (gate)
                {
                    traces.Add((sent[i], services.Time.GetTimestamp() + Ticks(TimeSpan.FromMicroseconds(sent[i].Deadline - answer.Now + 1_000))));
                }
            }
        }
    }

    /// <summary>Settlements did not arrive, or nobody knows: they will travel again.</summary>
    private void Return(LaneBatch batch)
    {
        lock (gate)
        {
            releases = [.. batch.Releases, .. releases];
            failing = true;
            triedAgain = services.Time.GetTimestamp() + Ticks(services.Options.TripTimeout);
            batch.Releases.Clear();
        }
    }

    /// <summary>Has what waits depart before long. The lock is held.</summary>
    private void Enlist()
    {
        if (!enlisted)
        {
            enlisted = true;
            services.Departures.Enlist(this);
        }
    }

    private void Arm(TimeSpan span) => timer.Change(span, Timeout.InfiniteTimeSpan);

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * services.Time.TimestampFrequency);

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static partial class Log
    {
        [LoggerMessage(5203, LogLevel.Warning, "The limits of organisation {Organisation} cannot be read or settled now ({Refused} calls were refused for it); tried again.")]
        public static partial void Away(ILogger logger, Guid organisation, int refused, Exception away);
    }
}
