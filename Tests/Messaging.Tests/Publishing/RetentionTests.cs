using LlmMarketplace.Messaging.Publishing;
using LlmMarketplace.Servers;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Npgsql;

namespace LlmMarketplace.Messaging.Tests.Publishing;

/// <summary>What the sweep removes and what it never does, on rows that a test writes.</summary>
public sealed class RetentionTests(PostgresServer postgres) : IAsyncLifetime
{
    private const string State = "state";
    private const string Log = "log";
    private readonly FakeTimeProvider clock = new(new DateTimeOffset(2026, 6, 1, 0, 0, 0, TimeSpan.Zero));
    private TestDatabase database = null!;
    private NpgsqlConnection relay = null!;

    public async ValueTask InitializeAsync()
    {
        database = await postgres.CreateDatabaseAsync("retention");
        relay = new NpgsqlConnection(database.SuperuserConnectionString);
        await relay.OpenAsync();
        await new MessagingSchema().ApplyAsync(relay, TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await relay.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Facts_go_after_the_retention_and_not_before()
    {
        await TopicAsync(Log, "Log", last: 3, published: 0);
        await RowAsync(Log, Guid.CreateVersion7(), 1, 1, days: 8);
        await RowAsync(Log, Guid.CreateVersion7(), 1, 2, days: 7.01);
        await RowAsync(Log, Guid.CreateVersion7(), 1, 3, days: 6.99);
        await SweepAsync(Transport.Feed);
        Assert.Equal([3], await LeftAsync(Log));
    }

    [Fact]
    public async Task The_newest_state_of_each_key_stays_for_ever_so_that_who_joins_late_reads_every_aggregate()
    {
        var (one, other) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await TopicAsync(State, "State", last: 4, published: 0);
        await RowAsync(State, one, 1, 1, days: 900);
        await RowAsync(State, one, 2, 2, days: 800);
        await RowAsync(State, other, 1, 3, days: 700);
        await RowAsync(State, one, 3, 4, days: 1);
        await SweepAsync(Transport.Feed);
        Assert.Equal([3, 4], await LeftAsync(State));
    }

    [Fact]
    public async Task What_has_no_place_yet_is_kept_however_old_and_makes_no_older_state_go()
    {
        var key = Guid.CreateVersion7();
        await TopicAsync(State, "State", last: 1, published: 0);
        await TopicAsync(Log, "Log", last: 0, published: 0);
        await RowAsync(State, key, 1, 1, days: 30);
        await RowAsync(State, key, 2, null, days: 20);
        await RowAsync(Log, key, 1, null, days: 20);
        await SweepAsync(Transport.Feed);
        Assert.Equal([1, null], await LeftAsync(State));
        Assert.Equal([null], await LeftAsync(Log));
    }

    [Fact]
    public async Task What_Kafka_has_not_acknowledged_is_kept_however_old()
    {
        await TopicAsync(Log, "Log", last: 3, published: 1);
        foreach (var sequence in new[] { 1, 2, 3 })
        {
            await RowAsync(Log, Guid.CreateVersion7(), 1, sequence, days: 30);
        }

        await SweepAsync(Transport.Kafka);
        Assert.Equal([2, 3], await LeftAsync(Log));
    }

    [Fact]
    public async Task It_sweeps_once_in_an_interval()
    {
        await TopicAsync(Log, "Log", last: 2, published: 0);
        var retention = new Retention(Options.Create(new MessagingOptions { Transport = Transport.Feed }), clock);
        await retention.SweepAsync(relay, TestContext.Current.CancellationToken);
        await RowAsync(Log, Guid.CreateVersion7(), 1, 1, days: 30);
        clock.Advance(TimeSpan.FromMinutes(59));
        await retention.SweepAsync(relay, TestContext.Current.CancellationToken);
        Assert.Equal([1], await LeftAsync(Log));
        clock.Advance(TimeSpan.FromMinutes(1));
        await retention.SweepAsync(relay, TestContext.Current.CancellationToken);
        Assert.Empty(await LeftAsync(Log));
    }

    private Task SweepAsync(Transport transport) =>
        new Retention(Options.Create(new MessagingOptions { Transport = transport }), clock).SweepAsync(relay, TestContext.Current.CancellationToken);

    private Task TopicAsync(string topic, string kind, long last, long published) =>
        ExecuteAsync("INSERT INTO messaging.topics VALUES ($1, $2, $3, $4)", topic, kind, last, published);

    private Task RowAsync(string topic, Guid key, long version, long? sequence, double days) => ExecuteAsync(
        "INSERT INTO messaging.outbox (id, topic, key, aggregate_version, type, data, time, sequence) VALUES ($1, $2, $3, $4, 't', '{}', $5, $6)",
        Guid.CreateVersion7(),
        topic,
        key,
        version,
        clock.GetUtcNow() - TimeSpan.FromDays(days),
        (object?)sequence ?? DBNull.Value);

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, relay);
        foreach (var value in values)
        {
            command.Parameters.Add(new() { Value = value });
        }

        await command.ExecuteNonQueryAsync();
    }

    private async Task<List<long?>> LeftAsync(string topic)
    {
        await using var command = new NpgsqlCommand("SELECT sequence FROM messaging.outbox WHERE topic = $1 ORDER BY aggregate_version, sequence", relay) { Parameters = { new() { Value = topic } } };
        await using var row = await command.ExecuteReaderAsync();
        var left = new List<long?>();
        while (await row.ReadAsync())
        {
            left.Add(row.GetFieldValue<long?>(0));
        }

        return left;
    }
}
