using System.Diagnostics;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace LlmMarketplace.Messaging.Tests.Publishing;

public sealed class RelayTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_relay_whose_transport_fails_gives_its_lock_back_so_that_another_instance_goes_on()
    {
        await using var database = await postgres.CreateDatabaseAsync("relay");
        var broken = new BrokenTransport();
        var still = new FakeTimeProvider(DateTimeOffset.UtcNow); // It never tries again: that would reset its connection.
        await using var one = await EventsService.StartAsync(postgres, database: database, before: services => services.AddSingleton<IEventTransport>(broken).AddSingleton<TimeProvider>(still));
        await broken.Failed.Task.WaitAsync(TimeSpan.FromMinutes(3), TestContext.Current.CancellationToken);

        await using var other = await EventsService.StartAsync(postgres, database: database);
        await other.TellAsync(Guid.CreateVersion7(), 1);
        Assert.Single(await other.FeedAsync(1));
    }

    [Fact]
    public async Task Events_that_one_change_adds_get_their_places_in_the_order_in_which_they_were_added()
    {
        await using var service = await EventsService.StartAsync(postgres);
        var keys = Enumerable.Range(0, 50).Select(_ => Guid.NewGuid()).ToList();
        await service.TellAsync((outbox, db) => keys.ForEach(key => outbox.Add(db, key, 1, new Thing(key, 1))));
        var feed = await service.FeedAsync(keys.Count);
        Assert.Equal(keys, feed.Select(e => Guid.Parse((string)e!["subject"]!)));
        Assert.Equal(Enumerable.Range(1, keys.Count), feed.Select(e => int.Parse((string)e!["sequence"]!, System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Whoever_takes_places_holds_the_topic_until_its_commit_so_that_none_becomes_visible_before_those_before_it()
    {
        await using var service = await EventsService.StartAsync(postgres);
        var outbox = service.Service.App.Services.GetRequiredService<Outbox>();
        var (first, many, one) = (Guid.NewGuid(), Enumerable.Range(0, 20).Select(_ => Guid.NewGuid()).ToList(), Guid.NewGuid());
        await service.TellAsync(first, 1);
        await service.FeedAsync(1); // The relay works: one that starts meanwhile waits for the topic elsewhere.
        await using var database = Npgsql.NpgsqlDataSource.Create(service.Database.AppConnectionString);
        await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using (var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
        {
            await outbox.CopyLastAsync(connection, [.. many.Select(key => (key, 1L, new Thing(key, 1)))], TestContext.Current.CancellationToken);
            await service.TellAsync(one, 1);
            await Until.TrueAsync(
                async () => await service.ValueAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%moved AS%'") > 0,
                () => "the relay did not come to the topic");
            Assert.Equal(1, await service.ValueAsync<long>("SELECT count(*) FROM messaging.outbox WHERE sequence IS NOT NULL"));
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
        }

        var feed = await service.FeedAsync(many.Count + 2);
        Assert.Equal([first, .. many, one], feed.Select(e => Guid.Parse((string)e!["subject"]!)));
        Assert.Equal(Enumerable.Range(1, many.Count + 2), feed.Select(e => int.Parse((string)e!["sequence"]!, System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Places_that_were_taken_and_not_committed_are_taken_again()
    {
        await using var service = await EventsService.StartAsync(postgres);
        var outbox = service.Service.App.Services.GetRequiredService<Outbox>();
        var (lost, kept) = (Guid.NewGuid(), Guid.NewGuid());
        await using var database = Npgsql.NpgsqlDataSource.Create(service.Database.AppConnectionString);
        foreach (var (key, commits) in new[] { (lost, false), (kept, true) })
        {
            await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            await outbox.CopyLastAsync(connection, [(key, 1L, new Thing(key, 1))], TestContext.Current.CancellationToken);
            await (commits ? transaction.CommitAsync(TestContext.Current.CancellationToken) : transaction.RollbackAsync(TestContext.Current.CancellationToken));
        }

        var only = Assert.Single(await service.FeedAsync(1));
        Assert.Equal((kept.ToString(), 1), ((string)only!["subject"]!, int.Parse((string)only["sequence"]!, System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task An_event_carries_the_trace_that_caused_it()
    {
        await using var service = await EventsService.StartAsync(postgres);
        using var cause = new Activity("cause").SetIdFormat(ActivityIdFormat.W3C).Start();
        await service.TellAsync(Guid.CreateVersion7(), 1);
        var e = Assert.Single(await service.FeedAsync(1));
        Assert.StartsWith($"00-{cause.TraceId}-", (string)e!["traceparent"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_type_that_was_not_declared_cannot_be_told_nor_can_one_that_no_broker_would_take()
    {
        await using var service = await EventsService.StartAsync(postgres, messaging => messaging.Publishes<string>(EventsService.Topic, EventsService.Type));
        var undeclared = await Assert.ThrowsAsync<InvalidOperationException>(() => service.TellAsync(Guid.CreateVersion7(), 1));
        Assert.Equal("Thing is not an event of this service: declare it with AddMessaging(…).Publishes<Thing>(topic, type).", undeclared.Message);

        await service.TellAsync((outbox, db) => outbox.Add(db, Guid.CreateVersion7(), 1, new string('x', Outbox.MaxBytes - 2)));
        var large = await Assert.ThrowsAsync<InvalidOperationException>(() => service.TellAsync((outbox, db) => outbox.Add(db, Guid.CreateVersion7(), 1, new string('x', Outbox.MaxBytes - 1))));
        Assert.Contains("larger than 8388608 bytes", large.Message, StringComparison.Ordinal);
        Assert.Single(await service.FeedAsync(1));
    }
}
