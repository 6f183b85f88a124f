using System.Globalization;
using LlmMarketplace.Embedded;
using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using Npgsql;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>
/// The invariant: <c>kill -9</c> at any moment, of anything, loses no event and applies none twice. Producer, consumer, both, a session of the database, the whole database server and the
/// broker are killed and started again while things change; then the databases are counted. The topic is a log, so no version check hides a doubled event.
/// <c>LLM_MARKETPLACE_KILLS</c> sets how often (default 6: each kind of victim at least once).
/// </summary>
public abstract class KillLoop
{
    private static readonly int Kills = int.Parse(Environment.GetEnvironmentVariable("LLM_MARKETPLACE_KILLS") ?? "6", CultureInfo.InvariantCulture);

    private protected abstract Task<Dictionary<string, string?>> TransportAsync();

    /// <summary>Kills what carries the events and starts it again; false when nothing does.</summary>
    private protected virtual Task<bool> KillBrokerAsync() => Task.FromResult(false);

    [Fact]
    public async Task Killing_anything_at_any_moment_loses_no_event_and_applies_none_twice()
    {
        await using var postgres = new PostgresServer();
        await using var world = await World.CreateAsync(postgres, await TransportAsync(), TopicKind.Log);
        foreach (var database in new[] { world.ProducerDatabase, world.ConsumerDatabase })
        {
            // The server of the tests acknowledges a commit before it is in its log: killed, it would forget some, and no service could help that.
            await World.ExecuteAsync(database, $"ALTER DATABASE {database.Name} SET synchronous_commit = on");
        }

        var seed = Random.Shared.Next();
        var random = new Random(seed);
        var killed = new SortedDictionary<string, int>();
        await using var producer = await Victim.StartAsync(world, KillLoopChild.Producing);
        await using var consumer = await Victim.StartAsync(world, KillLoopChild.Consuming);
        for (var kill = 0; kill < Kills; kill++)
        {
            if (kill % 3 != 2)
            {
                await ProgressAsync(world, producer, consumer); // Otherwise it may die while it starts.
            }

            await Task.Delay(random.Next(1000), TestContext.Current.CancellationToken); // The random moment.
            var victim = (kill - (Kills / 2)) switch
            {
                0 => "session",
                1 => "database",
                2 when await KillBrokerAsync() => "broker",
                _ => random.Next(3) switch { 0 => "producer", 1 => "consumer", _ => "both" },
            };
            killed[victim] = killed.GetValueOrDefault(victim) + 1;
            if (victim == "session")
            {
                await KillSessionAsync(world);
            }

            if (victim == "database")
            {
                await postgres.KillAsync();
            }

            if (victim is "producer" or "both")
            {
                await producer.KillAsync();
            }

            if (victim is "consumer" or "both")
            {
                await consumer.KillAsync();
            }
        }

        await ProgressAsync(world, producer, consumer);
        await producer.KillAsync(KillLoopChild.Relaying);
        await ProveAsync(world, producer, consumer, $"{string.Join(", ", killed.Select(victim => $"{victim.Value} × {victim.Key}"))}; seed {seed}");
    }

    /// <summary>Every committed change is one row, and each thing's rows are in order.</summary>
    private static async Task ProveAsync(World world, Victim relay, Victim consumer, string killed)
    {
        var changes = await World.ValueAsync<long>(world.ProducerDatabase, "SELECT sum(version)::bigint FROM things.things");
        await World.UntilAsync(
            async () =>
            {
                await relay.ReviveAsync();
                await consumer.ReviveAsync();
                return await CountAsync(world) >= changes;
            },
            () => $"not all of {changes} changes were applied (relay: {relay}; consumer: {consumer})");
        var applied = await world.AppliedAsync();
        var things = await ThingsAsync(world);
        var letters = await World.ValueAsync<long>(world.ConsumerDatabase, "SELECT count(*) FROM messaging.dead_letters");
        var doubled = applied.GroupBy(e => (e.Id, e.Version)).Sum(e => e.Count() - 1);
        var lost = changes - applied.DistinctBy(e => (e.Id, e.Version)).Count();
        TestContext.Current.TestOutputHelper!.WriteLine($"killed {killed}: {changes} changes committed, {applied.Count} applied, {lost} lost, {doubled} doubled, {letters} dead letters");

        Assert.Equal((0, 0, 0), (lost, doubled, letters));
        Assert.All(things, thing => Assert.Equal(Enumerable.Range(1, (int)thing.Version).Select(version => (long)version), applied.Where(e => e.Id == thing.Id).Select(e => e.Version)));
    }

    private static async Task<List<(Guid Id, long Version)>> ThingsAsync(World world)
    {
        await using var connection = new NpgsqlConnection(world.ProducerDatabase.SuperuserConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("SELECT id, version FROM things.things", connection);
        await using var row = await command.ExecuteReaderAsync();
        var things = new List<(Guid, long)>();
        while (await row.ReadAsync())
        {
            things.Add((row.GetGuid(0), row.GetInt64(1)));
        }

        return things;
    }

    /// <summary>Waits until something more was applied.</summary>
    private static async Task ProgressAsync(World world, Victim producer, Victim consumer)
    {
        long? before = null;
        await World.UntilAsync(
            async () =>
            {
                await producer.ReviveAsync();
                await consumer.ReviveAsync();
                var count = await CountAsync(world);
                before ??= count;
                return count > before;
            },
            () => $"nothing was applied beyond {before} (producer: {producer}; consumer: {consumer})");
    }

    /// <summary>How many events were applied; null while the server cannot tell.</summary>
    private static async Task<long?> CountAsync(World world)
    {
        try
        {
            return await World.ValueAsync<long>(world.ConsumerDatabase, "SELECT count(*) FROM things.applied");
        }
        catch (PostgresException notYet) when (notYet.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return 0;
        }
        catch (NpgsqlException)
        {
            return null; // It recovers.
        }
    }

    /// <summary>Kills one server process of PostgreSQL, upon which it throws everybody out and recovers from its log. Waits for one: services that have just been started have none yet.</summary>
    private static Task KillSessionAsync(World world) => World.UntilAsync(
        async () =>
        {
            var sessions = await World.ValueAsync<int[]>(
                world.ProducerDatabase,
                $"SELECT coalesce(array_agg(pid), '{{}}') FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname IN ('{world.ProducerDatabase.Name}', '{world.ConsumerDatabase.Name}') AND pid <> pg_backend_pid()");
            foreach (var session in sessions)
            {
                try
                {
                    using var process = System.Diagnostics.Process.GetProcessById(session);
                    process.Kill();
                    return true;
                }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException)
                {
                    // It has ended by itself since it was listed.
                }
            }

            return false;
        },
        () => "neither service had a session of the database");
}

/// <summary>A service of the loop, with what every host has around it: one that cannot start while its database is away is started again.</summary>
internal sealed class Victim : IAsyncDisposable
{
    private readonly World world;
    private string role;
    private ChildProcess child;

    private Victim(World world, string role, ChildProcess child) => (this.world, this.role, this.child) = (world, role, child);

    public static async Task<Victim> StartAsync(World world, string role) => new(world, role, await KillLoopChild.StartAsync(world, role));

    /// <summary>Kills it and starts it again, in another role when asked to.</summary>
    public async Task KillAsync(string? next = null)
    {
        await child.DisposeAsync();
        role = next ?? role;
        child = await KillLoopChild.StartAsync(world, role);
    }

    /// <summary>Starts it again when it ended while it migrated its database; that it ends by itself at any other time is an error.</summary>
    public async Task ReviveAsync()
    {
        if (child.Exited.IsCompleted)
        {
            Assert.True(child.LastLines.Any(line => line.Contains("DatabaseMigrator.MigrateDatabasesAsync", StringComparison.Ordinal)), ToString());
            await KillAsync();
        }
    }

    public override string ToString() => (child.Exited.IsCompleted ? "ended: " : "runs: ") + string.Join('\n', child.LastLines);

    public ValueTask DisposeAsync() => child.DisposeAsync();
}

public sealed class FeedKillLoop : KillLoop
{
    private protected override Task<Dictionary<string, string?>> TransportAsync() => Task.FromResult(new Dictionary<string, string?> { ["Messaging:Transport"] = "Feed" });
}

public sealed class KafkaKillLoop : KillLoop, IAsyncDisposable
{
    private readonly KafkaServer kafka = new(); // Of its own, since it is killed.

    public ValueTask DisposeAsync() => kafka.DisposeAsync();

    private protected override async Task<Dictionary<string, string?>> TransportAsync()
    {
        Assert.SkipWhen(KafkaServer.SkipReason is not null, KafkaServer.SkipReason ?? "");
        return new()
        {
            ["Messaging:Transport"] = "Kafka",
            ["Messaging:Kafka:SessionTimeout"] = "00:00:06",
            ["ConnectionStrings:kafka"] = await kafka.StartAsync(),
        };
    }

    private protected override async Task<bool> KillBrokerAsync()
    {
        await kafka.StopAsync(kill: true);
        await kafka.StartAsync();
        return true;
    }
}
