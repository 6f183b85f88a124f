using LlmMarketplace.Consumption.Routing;
using Microsoft.Extensions.Time.Testing;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Routing;

public sealed class EntryTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Route route;

    public EntryTests() => route = new Route(null!, null, new EndpointHealth(time), new CredentialHealth(time));

    [Fact]
    public void The_one_try_of_an_address_is_one_calls_until_it_is_given_back()
    {
        HalfOpen();
        var first = Entry.First([route]);
        Assert.True(first!.Value.IsTry);
        Assert.Null(Entry.First([route]));

        first.Value.GiveBack();

        Assert.NotNull(Entry.First([route]));
    }

    [Fact]
    public void A_credential_at_an_address_that_lets_nobody_in_keeps_its_try()
    {
        HalfOpen();
        var address = Entry.First([route]);
        route.CredentialHealth.Refused();
        time.Advance(TimeSpan.FromSeconds(60));

        Assert.Null(Entry.First([route]));
        address!.Value.GiveBack();

        var both = Entry.First([route])!.Value;
        Assert.NotEqual(0, both.AddressTry);
        Assert.NotEqual(0, both.CredentialTry);
    }

    [Fact]
    public void Nothing_is_kept_of_a_way_that_all_may_go()
    {
        Assert.False(Entry.First([route])!.Value.IsTry);
        Assert.NotNull(Entry.First([route]));
    }

    private void HalfOpen()
    {
        for (var failure = 0; failure < 5; failure++)
        {
            route.Health.Failed();
        }

        time.Advance(TimeSpan.FromSeconds(30));
    }
}
