using LlmMarketplace.Consumption.ResponseCache;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.ResponseCache;

public sealed class LookPauseTests
{
    private readonly FakeTimeProvider time = new();
    private readonly LookPause pause;

    public LookPauseTests() => pause = new LookPause(TimeSpan.FromSeconds(5), time);

    [Fact]
    public void After_a_look_that_failed_none_is_taken_for_a_while_and_then_one()
    {
        Assert.True(pause.TryLook());
        pause.Begin();
        Assert.False(pause.TryLook());

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.True(pause.TryLook());
        Assert.False(pause.TryLook());
    }

    [Fact]
    public void When_the_one_look_is_answered_all_look_again_and_when_it_is_not_none_does()
    {
        pause.Begin();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(pause.TryLook());
        pause.Begin();
        Assert.False(pause.TryLook());

        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(pause.TryLook());
        pause.End();

        Assert.True(pause.TryLook());
        Assert.True(pause.TryLook());
    }

    [Fact]
    public void A_look_that_nobody_waits_for_any_more_lets_another_one_be_taken_a_while_later()
    {
        pause.Begin();
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.True(pause.TryLook());

        time.Advance(TimeSpan.FromSeconds(5));

        Assert.True(pause.TryLook());
    }
}
