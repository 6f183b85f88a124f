using LlmMarketplace.Consumption.Routing;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

public sealed class EndpointHealthTests
{
    private readonly FakeTimeProvider time = new();
    private readonly EndpointHealth health;

    public EndpointHealthTests() => health = new EndpointHealth(time);

    [Fact]
    public void Five_failures_within_a_minute_open_it_for_half_a_minute_and_then_one_call_tries()
    {
        Fail(4);
        Assert.True(health.TryEnter());

        Fail(1);
        Assert.False(health.TryEnter());
        Assert.Equal(TimeSpan.FromSeconds(30), health.ClosedFor);

        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());
        Assert.False(health.TryEnter());
    }

    [Fact]
    public void One_that_succeeds_again_is_open_to_all_and_one_that_fails_again_is_closed_at_once()
    {
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());
        Fail(1);
        Assert.False(health.TryEnter());

        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());
        health.Succeeded();
        Assert.True(health.TryEnter());
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void A_success_between_or_a_minute_without_failures_begins_the_count_anew()
    {
        Fail(4);
        health.Succeeded();
        Fail(4);
        Assert.True(health.TryEnter());

        time.Advance(TimeSpan.FromSeconds(61));
        Fail(4);
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void A_try_whose_caller_left_lets_another_one_try()
    {
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter(out var number));

        health.GiveBack(number);

        Assert.True(health.TryEnter());
    }

    [Fact]
    public void A_try_that_is_given_back_lets_another_one_try_and_gives_back_no_other()
    {
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter(out var first));
        Assert.NotEqual(0, first);

        health.GiveBack(first);
        Assert.True(health.TryEnter(out var second));
        health.GiveBack(first);

        Assert.False(health.TryEnter());
        health.GiveBack(second);
        Assert.True(health.TryEnter());
    }

    [Fact]
    public void Where_all_may_call_nobody_tries()
    {
        Assert.True(health.TryEnter(out var number));

        Assert.Equal(0, number);
    }

    [Fact]
    public void Who_came_before_the_failures_and_leaves_gives_nobodys_try_back()
    {
        Assert.True(health.TryEnter(out var early));
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());

        health.GiveBack(early);

        Assert.False(health.TryEnter());
    }

    [Fact]
    public void An_answer_that_begins_and_breaks_off_is_a_failure_like_any_other()
    {
        for (var call = 0; call < 5; call++)
        {
            Assert.True(health.TryEnter());
            health.Answered(5);
            health.Failed();
        }

        Assert.False(health.TryEnter());
    }

    [Fact]
    public void When_the_answer_to_the_one_try_begins_others_may_call_and_the_next_failure_opens_it_again()
    {
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());

        health.Answered(5);
        Assert.True(health.TryEnter());
        Assert.True(health.TryEnter());

        Fail(1);
        Assert.False(health.TryEnter());
    }

    [Fact]
    public void When_the_answer_to_the_one_try_ends_well_it_takes_five_failures_again()
    {
        Fail(5);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.True(health.TryEnter());
        health.Answered(5);
        health.Succeeded();

        Fail(4);

        Assert.True(health.TryEnter());
    }

    [Fact]
    public void Newer_latencies_count_more()
    {
        health.Answered(100);
        health.Answered(200);

        Assert.Equal(120, health.LatencyMs, 3);
    }

    private void Fail(int times)
    {
        for (var time = 0; time < times; time++)
        {
            health.Failed();
        }
    }
}
