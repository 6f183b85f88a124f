using LlmMarketplace.Messaging.Publishing;
using Microsoft.Extensions.Time.Testing;

namespace LlmMarketplace.Messaging.Tests.Publishing;

public sealed class MonotonicIdsTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Ids_of_one_millisecond_grow_and_are_UUIDs_of_version_7()
    {
        var ids = new MonotonicIds(new FakeTimeProvider(Start));
        var made = Enumerable.Range(0, 10_000).Select(_ => ids.Next()).ToList(); // More than its counter of 12 bits holds.
        Assert.Equal(made, made.Order());
        Assert.Equal(made.Select(id => id.ToString()), made.Select(id => id.ToString()).Order(StringComparer.Ordinal));
        Assert.Equal(made.Count, made.Distinct().Count());
        Assert.All(made, id => Assert.Equal((7, 0b10), (id.Version, id.Variant >> 2)));
    }

    [Fact]
    public void An_id_carries_its_time()
    {
        var id = new MonotonicIds(new FakeTimeProvider(Start)).Next();
        Assert.Equal(Start.ToUnixTimeMilliseconds(), Convert.ToInt64(id.ToString("N")[..12], 16));
    }

    [Fact]
    public void Ids_grow_even_when_the_clock_is_put_back()
    {
        var clock = new FakeTimeProvider(Start) { AutoAdvanceAmount = TimeSpan.Zero };
        var ids = new MonotonicIds(clock);
        var before = ids.Next();
        clock.AdjustTime(Start - TimeSpan.FromHours(1));
        Assert.True(ids.Next() > before);
    }

    [Fact]
    public void Ids_asked_for_at_the_same_time_are_all_different()
    {
        var ids = new MonotonicIds(TimeProvider.System);
        using var start = new Barrier(4);
        var made = new Guid[4][];
        var threads = Enumerable.Range(0, 4).Select(side => new Thread(() =>
        {
            start.SignalAndWait();
            made[side] = [.. Enumerable.Range(0, 5_000).Select(_ => ids.Next())];
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Equal(20_000, made.SelectMany(ids => ids).Distinct().Count());
        Assert.All(made, own => Assert.Equal(own, own.Order()));
    }
}
