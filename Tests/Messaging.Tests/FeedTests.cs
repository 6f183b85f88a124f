using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Messaging.Tests;

public sealed class FeedTests(PostgresServer postgres)
{
    [Fact]
    public async Task Only_services_with_a_token_for_this_one_read_the_feed()
    {
        await using var service = await EventsService.StartAsync(postgres);
        await service.TellAsync(Guid.CreateVersion7(), 1);
        await service.FeedAsync(1);
        var feed = $"/internal/events?topic={EventsService.Topic}";
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.Service.Client.ReadAsync(feed)).StatusCode);
        foreach (var other in new[] { service.ClientOf("admin"), service.ClientOf("service"), service.Peer("elsewhere") })
        {
            Assert.Contains((await other.ReadAsync(feed)).StatusCode, new[] { HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden });
            other.Dispose();
        }
    }

    [Fact]
    public async Task A_reader_begins_where_it_asks_to_and_gets_no_more_than_it_asks_for()
    {
        await using var service = await EventsService.StartAsync(postgres);
        for (var version = 1; version <= 5; version++)
        {
            await service.TellAsync(Guid.CreateVersion7(), version);
        }

        await service.FeedAsync(5);
        using var peer = service.Peer();
        using var answer = await peer.ReadAsync($"/internal/events?topic={EventsService.Topic}&after=2&limit=2");
        Assert.Equal("application/cloudevents-batch+json", answer.Content.Headers.ContentType!.MediaType);
        Assert.Equal([3, 4], (await answer.Content.ReadFromJsonAsync<JsonArray>(TestContext.Current.CancellationToken))!.Select(e => (long)e!["data"]!["version"]!));
        Assert.Empty((await peer.ReadAsync<JsonArray>($"/internal/events?topic={EventsService.Topic}&after=5")));
    }

    [Fact]
    public async Task A_reader_that_waits_gets_an_event_as_soon_as_it_is_committed()
    {
        await using var service = await EventsService.StartAsync(postgres);
        await service.TellAsync(Guid.CreateVersion7(), 1);
        await service.FeedAsync(1);
        using var peer = service.Peer();
        var waits = peer.GetFromJsonAsync<JsonArray>($"/internal/events?topic={EventsService.Topic}&after=1&wait=30", TestContext.Current.CancellationToken);
        await service.TellAsync(Guid.CreateVersion7(), 2);
        Assert.Equal("0000000000000000002", (string?)Assert.Single((await waits)!)!["sequence"]);
    }

    [Fact]
    public async Task A_topic_that_the_service_does_not_have_is_said_to_be_unknown()
    {
        await using var service = await EventsService.StartAsync(postgres);
        using var peer = service.Peer();
        using var answer = await peer.ReadAsync("/internal/events?topic=test.nothing");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("unknown_topic", (string?)(await answer.BodyAsync())["code"]);
    }
}
