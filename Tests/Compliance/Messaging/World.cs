using LlmMarketplace.Embedded;
using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using Npgsql;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>What one test has to itself: two databases, a topic, and addresses that outlive the services.</summary>
internal sealed class World : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150); // On a machine that is busy with other things as well.

    private World(TestIdentity identity, TestDatabase producer, TestDatabase consumer, IEnumerable<KeyValuePair<string, string?>> transport, TopicKind kind)
    {
        Kind = kind;
        (Identity, ProducerDatabase, ConsumerDatabase) = (identity, producer, consumer);
        Topic = $"test.{consumer.Name}.{Guid.CreateVersion7():N}";
        ConsumerName = $"consumer-{Topic}";
        Settings =
        [
            .. transport,
            new($"services:{Producer.Name}:http:0", ProducerAddress),
            new("Messaging:RetryDelays:0", "00:00:00.010"),
            new("Messaging:RetryDelays:1", "00:00:00.020"),
            new("Messaging:RetryDelays:2", "00:00:00.040"),
        ];
    }

    public TestIdentity Identity { get; }

    public TestDatabase ProducerDatabase { get; }

    public TestDatabase ConsumerDatabase { get; }

    public string ProducerAddress { get; } = $"http://127.0.0.1:{FreePort.Choose()}";

    public string Topic { get; }

    public string ConsumerName { get; }

    public TopicKind Kind { get; }

    public List<KeyValuePair<string, string?>> Settings { get; }

    public static async Task<World> CreateAsync(PostgresServer postgres, IEnumerable<KeyValuePair<string, string?>> transport, TopicKind kind) => new(
        await TestIdentity.StartAsync(),
        await postgres.CreateDatabaseAsync("producer"),
        await postgres.CreateDatabaseAsync("consumer"),
        transport,
        kind);

    /// <summary>What was applied, in the order of its application.</summary>
    public async Task<List<ThingChanged>> AppliedAsync(TestDatabase? database = null)
    {
        await using var connection = new NpgsqlConnection((database ?? ConsumerDatabase).SuperuserConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT id, version, text FROM things.applied ORDER BY place", connection);
        await using var row = await command.ExecuteReaderAsync();
        var applied = new List<ThingChanged>();
        while (await row.ReadAsync())
        {
            applied.Add(new ThingChanged(row.GetGuid(0), row.GetInt64(1), row.GetString(2)));
        }

        return applied;
    }

    /// <summary>Waits until as many events were applied.</summary>
    public async Task<List<ThingChanged>> AppliedAsync(int count, TestDatabase? database = null)
    {
        var seen = 0L;
        await UntilAsync(
            async () => (seen = await ValueAsync<long>(database ?? ConsumerDatabase, "SELECT count(*) FROM things.applied")) >= count,
            () => $"{seen} of {count} events were applied");
        return await AppliedAsync(database);
    }

    /// <summary>One value of a database.</summary>
    public static async Task<T> ValueAsync<T>(TestDatabase database, string sql)
    {
        await using var connection = new NpgsqlConnection(database.SuperuserConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Does something to a database, as its superuser.</summary>
    public static async Task ExecuteAsync(TestDatabase database, string sql)
    {
        await using var connection = new NpgsqlConnection(database.SuperuserConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Waits for a condition.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, Func<string> what)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (!await condition())
        {
            Assert.False(patience.IsCancellationRequested, $"After {Patience.TotalSeconds} s {what()}.");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Identity.DisposeAsync();
        await ProducerDatabase.DisposeAsync();
        await ConsumerDatabase.DisposeAsync();
    }
}
