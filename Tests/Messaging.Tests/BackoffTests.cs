using Microsoft.Extensions.Time.Testing;

namespace LlmMarketplace.Messaging.Tests;

public sealed class BackoffTests
{
    [Fact]
    public async Task Waits_double_from_100_ms_and_stay_at_5_s()
    {
        var clock = new FakeTimeProvider();
        var backoff = new Backoff(clock);
        foreach (var milliseconds in new[] { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 })
        {
            await AssertWaitsAsync(backoff, clock, milliseconds);
        }
    }

    [Fact]
    public async Task What_works_again_begins_anew_and_only_the_first_wait_is_told()
    {
        var clock = new FakeTimeProvider();
        var backoff = new Backoff(clock);
        Assert.True(backoff.IsFirst);
        await AssertWaitsAsync(backoff, clock, 100);
        Assert.False(backoff.IsFirst);
        await AssertWaitsAsync(backoff, clock, 200);
        backoff.Reset();
        Assert.True(backoff.IsFirst);
        await AssertWaitsAsync(backoff, clock, 100);
    }

    private static async Task AssertWaitsAsync(Backoff backoff, FakeTimeProvider clock, int milliseconds)
    {
        var wait = backoff.WaitAsync(TestContext.Current.CancellationToken);
        clock.Advance(TimeSpan.FromMilliseconds(milliseconds - 1));
        Assert.False(wait.IsCompleted);
        clock.Advance(TimeSpan.FromMilliseconds(1));
        await wait;
    }
}
