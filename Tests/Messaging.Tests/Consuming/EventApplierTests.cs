using System.Text;
using LlmMarketplace.Messaging.Consuming;
using LlmMarketplace.Servers;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Messaging.Tests.Consuming;

/// <summary>The applier on a real database, with the events in a test's hand.</summary>
public sealed class EventApplierTests(PostgresServer postgres) : IAsyncLifetime
{
    private static readonly EventSource Source = new("test", EventsService.Topic, 0);
    private readonly Script script = new();
    private EventsService service = null!;
    private IEventApplier applier = null!;

    public async ValueTask InitializeAsync()
    {
        service = await EventsService.StartAsync(
            postgres,
            messaging => messaging.Consumes<Thing, Handler>("nowhere", EventsService.Topic, EventsService.Type, TopicKind.Log),
            new() { ["Messaging:RetryDelays:0"] = "00:00:00.001", ["services:nowhere:http:0"] = "http://127.0.0.1:9" },
            services => services.AddSingleton(script));
        applier = service.Service.App.Services.GetRequiredService<IEventApplier>();
        await using var command = service.Superuser.CreateCommand(
            """
            CREATE TABLE applied (place bigint GENERATED ALWAYS AS IDENTITY, sequence bigint, twin bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);
            GRANT ALL ON applied TO PUBLIC;
            GRANT USAGE ON SCHEMA public TO PUBLIC;
            """);
        await command.ExecuteNonQueryAsync();
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();

    [Fact]
    public async Task What_lies_before_the_position_is_dropped_and_the_place_of_the_source_may_go_back()
    {
        var at = await ApplyAsync(default, Event(1, place: 10), Event(2, place: 11));
        Assert.Equal(new Position(11, 2), at);
        at = await ApplyAsync(at, Event(1, place: 1), Event(2, place: 2), Event(3, place: 3)); // The topic was made anew and filled again.
        Assert.Equal(new Position(3, 3), at);
        Assert.Equal(at, await applier.StartAsync(Source, TestContext.Current.CancellationToken));
        Assert.Equal([1, 2, 3], await AppliedAsync());
    }

    [Fact]
    public async Task Who_comes_from_an_old_position_applies_nothing()
    {
        await ApplyAsync(default, Event(1));
        await Assert.ThrowsAsync<FencedException>(() => ApplyAsync(default, Event(1), Event(2)));
        Assert.Equal([1], await AppliedAsync());
    }

    [Fact]
    public async Task Two_that_apply_the_same_events_at_the_same_moment_apply_them_once()
    {
        await applier.StartAsync(Source, TestContext.Current.CancellationToken);
        var sides = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                await applier.ApplyAsync(Source, default, [Event(1), Event(2)], TestContext.Current.CancellationToken);
                return true;
            }
            catch (FencedException)
            {
                return false;
            }
        }));
        Assert.Single(sides, won => won);
        Assert.Equal([1, 2], await AppliedAsync());
    }

    [Fact]
    public async Task A_failing_event_keeps_its_place_until_it_is_put_aside_and_leaves_no_half_effect()
    {
        script.FailsAfterItsEffect = sequence => sequence == 2 ? "No." : null;
        var at = await ApplyAsync(default, Event(1), Event(2), Event(3));
        Assert.Equal(new Position(3, 3), at);
        Assert.Equal([1, 3], await AppliedAsync());
        Assert.Equal("HandlerFailed:No.:2", await LetterAsync());
    }

    [Fact]
    public async Task An_error_that_speaks_of_a_zero_character_is_put_aside_like_any_other()
    {
        script.FailsAfterItsEffect = sequence => sequence == 1 ? "The name is a\0b." : null;
        await ApplyAsync(default, Event(1), Event(2));
        Assert.Equal([2], await AppliedAsync());
        Assert.Equal("HandlerFailed:The name is a\uFFFDb.:2", await LetterAsync());
    }

    [Fact]
    public async Task What_the_database_refuses_only_at_the_commit_is_the_handlers_fault_as_well()
    {
        script.Twin = sequence => sequence == 3 ? 1 : sequence;
        var at = await ApplyAsync(default, Event(1), Event(2), Event(3), Event(4));
        Assert.Equal(new Position(4, 4), at);
        Assert.Equal([1, 2, 4], await AppliedAsync());
        Assert.StartsWith("HandlerFailed:23505", await LetterAsync(), StringComparison.Ordinal);

        var letter = await service.ValueAsync<Guid>("SELECT id FROM messaging.dead_letters");
        Assert.Equal(LlmMarketplace.Messaging.DeadLetters.RetryOutcome.FailedAgain, await applier.RetryAsync(letter, TestContext.Current.CancellationToken));
        script.Twin = sequence => sequence;
        Assert.Equal(LlmMarketplace.Messaging.DeadLetters.RetryOutcome.Closed, await applier.RetryAsync(letter, TestContext.Current.CancellationToken));
        Assert.Equal([1, 2, 4, 3], await AppliedAsync());
    }

    [Fact]
    public async Task A_database_that_is_away_is_waited_for_and_costs_no_attempt()
    {
        var cut = 0;
        script.Before = async db =>
        {
            if (Interlocked.Increment(ref cut) <= 3)
            {
                await db.Database.ExecuteSqlAsync($"SELECT pg_terminate_backend(pg_backend_pid())");
            }
        };
        Assert.Equal(new Position(1, 1), await ApplyAsync(default, Event(1)));
        Assert.Equal(4, cut);
        Assert.Equal([1], await AppliedAsync());
        Assert.Equal(0L, await service.ValueAsync<long>("SELECT count(*) FROM messaging.dead_letters"));
    }

    private async Task<Position> ApplyAsync(Position at, params ReceivedEvent[] batch)
    {
        await applier.StartAsync(Source, TestContext.Current.CancellationToken);
        return await applier.ApplyAsync(Source, at, batch, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(120), TestContext.Current.CancellationToken);
    }

    private static ReceivedEvent Event(long sequence, long? place = null) => new(
        place ?? sequence,
        Encoding.UTF8.GetBytes(
            $$$"""
              {"specversion":"1.0","id":"{{{Guid.CreateVersion7()}}}","source":"/services/nowhere","type":"{{{EventsService.Type}}}","subject":"{{{Guid.CreateVersion7()}}}","time":"2026-01-01T00:00:00Z",
               "aggregateversion":"1","sequence":"{{{sequence}}}","data":{"id":"{{{Guid.CreateVersion7()}}}","version":{{{sequence}}}}}
              """));

    private async Task<List<long>> AppliedAsync()
    {
        await using var command = service.Superuser.CreateCommand("SELECT sequence FROM applied ORDER BY place");
        await using var row = await command.ExecuteReaderAsync();
        var applied = new List<long>();
        while (await row.ReadAsync())
        {
            applied.Add(row.GetInt64(0));
        }

        return applied;
    }

    private Task<string> LetterAsync() => service.ValueAsync<string>("SELECT reason || ':' || error || ':' || attempts FROM messaging.dead_letters");

    internal sealed class Script
    {
        public Func<EventsDb, Task> Before { get; set; } = _ => Task.CompletedTask;

        public Func<long, string?> FailsAfterItsEffect { get; set; } = _ => null;

        public Func<long, long> Twin { get; set; } = sequence => sequence;
    }

    internal sealed class Handler(EventsDb db, Script script) : IEventHandler<Thing>
    {
        public async Task HandleAsync(Thing data, EventContext context, CancellationToken cancellationToken)
        {
            await script.Before(db);
            await db.Database.ExecuteSqlAsync($"INSERT INTO applied (sequence, twin) VALUES ({data.Version}, {script.Twin(data.Version)})", cancellationToken);
            if (script.FailsAfterItsEffect(data.Version) is { } why)
            {
                throw new InvalidOperationException(why);
            }
        }
    }
}
