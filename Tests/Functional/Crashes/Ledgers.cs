using System.Globalization;
using Npgsql;

namespace LlmMarketplace.Functional.Crashes;

/// <summary>
/// What the databases of a started marketplace hold, counted as an auditor would, beside the public address: crashes must not show there either.
/// </summary>
internal sealed class Ledgers(string dataDirectory)
{
    private static readonly (string Producer, string Topic, string Consumer, string Table)[] Flows =
    [
        ("identity", "marketplace.organisations", "publishing", "organisations"),
        ("identity", "marketplace.organisations", "discovery", "organisations"),
        ("identity", "marketplace.organisations", "consumption", "organisations"),
        ("publishing", "marketplace.services", "discovery", "listings"),
        ("publishing", "marketplace.services", "consumption", "listings"),
    ];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>How many events of a topic there are, and how many different ones.</summary>
    public async Task<(long Events, long Different)> EventsAsync(string producer, string topic)
    {
        await using var database = Open(producer);
        await using var count = database.CreateCommand("SELECT count(*), count(DISTINCT (key, aggregate_version)) FROM messaging.outbox WHERE topic = $1");
        count.Parameters.Add(new() { Value = topic });
        await using var row = await count.ExecuteReaderAsync(Cancellation);
        await row.ReadAsync(Cancellation);
        return (row.GetInt64(0), row.GetInt64(1));
    }

    /// <summary>One figure.</summary>
    public async Task<long> CountAsync(string name, string sql, params object[] parameters)
    {
        await using var database = Open(name);
        await using var count = database.CreateCommand(sql);
        count.Parameters.AddRange(parameters.Select(value => new NpgsqlParameter { Value = value }).ToArray());
        return (long)(await count.ExecuteScalarAsync(Cancellation))!;
    }

    /// <summary>Waits until every consumer is where its producer is, then compares: each event once, in order, and what it tells in the consumer's tables.</summary>
    public async Task AssertEveryEventWasAppliedOnceAsync()
    {
        foreach (var (producer, topic, consumer, table) in Flows)
        {
            await Until.TrueAsync($"{consumer} at the end of {topic}", async () =>
                await CountAsync(producer, "SELECT count(*) FROM messaging.outbox WHERE sequence IS NULL") == 0
                && await LastAsync(producer, topic) == await CountAsync(consumer, "SELECT sequence FROM messaging.positions WHERE topic = $1", topic));

            var (events, different) = await EventsAsync(producer, topic);
            Assert.Equal((events, events), (different, await LastAsync(producer, topic)));
            Assert.Equal(
                await VersionsAsync(producer, "SELECT key, max(aggregate_version) FROM messaging.outbox WHERE topic = $1 GROUP BY key", topic),
                await VersionsAsync(consumer, "SELECT key, version FROM messaging.applied_versions WHERE topic = $1", topic));
            Assert.Equal(
                await CountAsync(producer, "SELECT count(DISTINCT key) FROM messaging.outbox WHERE topic = $1", topic),
                await CountAsync(consumer, $"SELECT count(*) FROM {table}"));
            Assert.Equal(0, await CountAsync(consumer, "SELECT count(*) FROM messaging.dead_letters"));
        }
    }

    private Task<long> LastAsync(string producer, string topic) => CountAsync(producer, "SELECT last_sequence FROM messaging.topics WHERE topic = $1", topic);

    private async Task<List<(Guid Key, long Version)>> VersionsAsync(string name, string sql, string topic)
    {
        await using var database = Open(name);
        await using var select = database.CreateCommand(sql);
        select.Parameters.Add(new() { Value = topic });
        await using var row = await select.ExecuteReaderAsync(Cancellation);
        var versions = new List<(Guid, long)>();
        while (await row.ReadAsync(Cancellation))
        {
            versions.Add((row.GetGuid(0), row.GetInt64(1)));
        }

        return [.. versions.Order()];
    }

    // The server is another one after each start: no pool outlives a question.
    private NpgsqlDataSource Open(string name) => new NpgsqlDataSourceBuilder(new NpgsqlConnectionStringBuilder
    {
        Host = "127.0.0.1",
        Port = int.Parse(File.ReadLines(Path.Combine(dataDirectory, "postgres", "cluster", "postmaster.pid")).ElementAt(3), CultureInfo.InvariantCulture),
        Username = "postgres",
        Password = File.ReadAllText(Path.Combine(dataDirectory, "postgres", "superuser.password")).Trim(),
        Database = name,
        Pooling = false,
    }.ConnectionString).Build();
}
