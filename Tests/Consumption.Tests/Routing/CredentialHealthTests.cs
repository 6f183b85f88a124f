using LlmMarketplace.Consumption.Routing;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

public sealed class CredentialHealthTests
{
    private readonly FakeTimeProvider time = new();
    private readonly CredentialHealth health;

    public CredentialHealthTests() => health = new CredentialHealth(time);

    [Fact]
    public void One_that_is_to_be_spared_is_spared_for_so_long()
    {
        health.Busy(TimeSpan.FromSeconds(7));
        health.Busy(TimeSpan.FromSeconds(3)); // A shorter wait does not end a longer one.

        Assert.False(health.TryEnter());
        Assert.Equal(TimeSpan.FromSeconds(7), health.BusyFor);
        time.Advance(TimeSpan.FromSeconds(7));
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void One_that_is_to_be_spared_for_years_is_tried_after_an_hour()
    {
        health.Busy(TimeSpan.MaxValue);

        Assert.Equal(TimeSpan.FromHours(1), health.BusyFor);
        time.Advance(TimeSpan.FromHours(1));
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void One_that_was_refused_is_set_aside_for_a_minute_and_then_one_call_tries()
    {
        health.Refused();
        Assert.True(health.IsAside);
        Assert.False(health.TryEnter());

        time.Advance(TimeSpan.FromSeconds(60));
        Assert.False(health.IsAside);
        Assert.True(health.TryEnter());
        Assert.False(health.TryEnter());

        health.Accepted();
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void A_try_that_is_given_back_lets_another_call_try_and_changes_nothing_that_came_since()
    {
        health.Refused();
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.True(health.TryEnter(out var first));
        Assert.NotEqual(0, first);

        health.GiveBack(first);
        Assert.True(health.TryEnter(out var second));
        Assert.False(health.TryEnter());

        health.Refused();
        health.GiveBack(second);
        Assert.True(health.IsAside);
    }

    [Fact]
    public void When_the_one_call_that_tries_tells_nothing_another_one_tries()
    {
        health.Refused();
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.True(health.TryEnter());

        time.Advance(TimeSpan.FromSeconds(10));

        Assert.True(health.TryEnter());
    }
}
