namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// When lanes send settlements that found no admission to travel with. One timer serves all lanes: a timer for each settlement wakes the runtime's timer thread for each call.
/// <code>
/// enlisted ──► boarding ──half of the time──► leaving ──half of the time──► departs      (waits for one half at least, and for the whole at most)
/// </code>
/// </summary>
internal sealed class Departures : IDisposable
{
    private readonly TimeSpan half;
    private readonly Lock gate = new();
    private readonly ITimer timer;
    private List<Lane> boarding = [];
    private List<Lane> leaving = [];
    private bool ticking;

    /// <param name="within">How long a lane waits, at most.</param>
    /// <param name="time">The clock.</param>
    public Departures(TimeSpan within, TimeProvider time)
    {
        half = within / 2;
        timer = time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Enlist(Lane lane)
    {
        lock (gate)
        {
            boarding.Add(lane);
            if (!ticking)
            {
                ticking = true;
                timer.Change(half, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose() => timer.Dispose();

    private void Tick()
    {
        List<Lane> departing;
        lock (gate)
        {
            (departing, leaving, boarding) = (leaving, boarding, []);
            ticking = leaving.Count > 0;
            if (ticking)
            {
                timer.Change(half, Timeout.InfiniteTimeSpan);
            }
        }

        departing.ForEach(lane => lane.Depart());
    }
}
