using System.Net;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.CallLogs;

/// <summary>How logged calls come into PostgreSQL when it lags, goes away, or is being erased; and when the instance stops.</summary>
public sealed class KeepCallLogsTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_writer_that_lags_holds_up_no_call_what_finds_the_queue_full_is_counted_and_what_waits_is_written_when_the_instance_stops()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings: [new("CallLogs:MaxWaiting", "2"), new("CallLogs:StopWithin", "00:01:00")]);
        using var dropped = new Counted(instance, "marketplace.call_logs.dropped");
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = shop.Key.Client(instance);
        await marketplace.SwitchOnAsync(shop.Member, new { }, instance);
        Guid[] ids;
        await using (var held = await HoldAsync(shop.Member))
        {
            ids = [await CallAsync()];
            await held.IsWaitedForAsync(); // The writer has the first one in hand.
            for (var i = 0; i < 5; i++)
            {
                ids = [.. ids, await CallAsync()];
            }

            Assert.Equal(3, dropped.Count); // Two wait.
            var stopping = instance.App.StopAsync();
            await held.EndAsync();
            await stopping;
        }

        Assert.Equal(ids[..3].Order(), (await shop.Member.LoggedAsync()).Order());
        Assert.Equal(3, dropped.Count);

        async Task<Guid> CallAsync()
        {
            using var answer = await Json.UntilReadyAsync(() => shop.ChatAsync(client: client, isShipped: false));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return answer.RequestId();
        }
    }

    [Fact]
    public async Task Calls_wait_while_PostgreSQL_is_away_and_are_counted_when_the_instance_stops_before_it_is_back()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings: [new("CallLogs:StopWithin", "00:00:00")]);
        using var dropped = new Counted(instance, "marketplace.call_logs.dropped");
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = shop.Key.Client(instance);
        await marketplace.SwitchOnAsync(shop.Member, new { }, instance);
        await using var held = await HoldAsync(shop.Member);
        using var first = await Json.UntilReadyAsync(() => shop.ChatAsync(client: client));
        await held.IsWaitedForAsync();
        await held.BreakOffWhoWaitsAsync();
        await held.IsWaitedForAsync(); // It is tried again.
        using var second = await shop.ChatAsync(client: client);
        Assert.Equal(0, dropped.Count);

        await instance.App.StopAsync();

        Assert.Equal(2, dropped.Count);
    }

    [Fact]
    public async Task What_ended_before_an_erasure_that_it_had_to_wait_for_is_not_kept()
    {
        using var shop = await marketplace.LoggingAsync(ProviderScripts.Chat("hi", 1, 1), new { });
        await using var held = await HoldAsync(shop.Member);
        using var before = await shop.ChatAsync();
        await held.IsWaitedForAsync();
        await held.ExecuteAsync("UPDATE call_logging_settings SET erased_at = clock_timestamp() WHERE organisation_id = $1", shop.Member.Id);

        await held.EndAsync();

        using var after = await shop.ChatAsync();
        await shop.LogAsync(after);
        Assert.Equal([after.RequestId()], await shop.Member.LoggedAsync());
    }

    private Task<HeldRow> HoldAsync(Member member) => HeldRow.TakeAsync(marketplace, "call_logging_settings", member.Id);
}
