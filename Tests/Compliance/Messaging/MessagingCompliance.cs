using LlmMarketplace.Messaging;
using LlmMarketplace.Servers;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmMarketplace.Compliance.Messaging;

/// <summary>What holds for events between two services, whichever way they travel. Inherited once per adapter.</summary>
public abstract partial class MessagingCompliance(PostgresServer postgres)
{
    /// <summary>The settings that choose the adapter; skips where it cannot be had.</summary>
    protected abstract Task<Dictionary<string, string?>> TransportAsync();

    private async Task<World> WorldAsync(TopicKind kind = TopicKind.State) => await World.CreateAsync(postgres, await TransportAsync(), kind);

    [Fact]
    public async Task Every_committed_event_is_applied_once_and_each_keys_in_order()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var keys = Keys(5);
        for (var i = 0; i < 200; i++)
        {
            await producer.ChangeAsync(keys[i % keys.Count], $"change {i}");
        }

        AssertAppliedOnceInOrder(await world.AppliedAsync(200), keys, 40);
    }

    [Fact]
    public async Task What_is_rolled_back_is_never_told()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        await producer.ChangeAsync(Guid.CreateVersion7(), "rolled back", rollBack: true);
        await producer.ChangeAsync(Guid.CreateVersion7(), "committed");
        await producer.ChangeAsync(Guid.CreateVersion7(), "rolled back", rollBack: true);
        await producer.ChangeAsync(Guid.CreateVersion7(), "the last");

        var applied = await world.AppliedAsync(2);

        Assert.Equal(["committed", "the last"], applied.Select(e => e.Text).Order());
        Assert.Equal(2L, await World.ValueAsync<long>(world.ProducerDatabase, "SELECT last_sequence FROM messaging.topics"));
    }

    [Fact]
    public async Task Changes_made_at_the_same_time_are_all_told_and_each_keys_in_order()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var keys = Keys(4);

        // Every key is changed from four sides at once; half of the tries are rolled back.
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async side =>
        {
            for (var i = 0; i < 50; i++)
            {
                await producer.ChangeAsync(keys[side % keys.Count], $"{side}/{i}", rollBack: i % 2 == 1);
            }
        }));

        AssertAppliedOnceInOrder(await world.AppliedAsync(400), keys, 100);
    }

    [Fact]
    public async Task Nothing_is_lost_or_doubled_when_consumer_and_producer_stop_and_start()
    {
        await using var world = await WorldAsync();
        var keys = Keys(3);
        for (var round = 0; round < 3; round++)
        {
            await using var producer = await Producer.StartAsync(world);
            for (var i = 0; i < 30; i++)
            {
                await producer.ChangeAsync(keys[i % keys.Count]);
            }

            await using var consumer = await Consumer.StartAsync(world);
            await world.AppliedAsync((round * 30) + 10); // Stopped somewhere in between.
        }

        await using var again = await Producer.StartAsync(world);
        await using var after = await Consumer.StartAsync(world);
        AssertAppliedOnceInOrder(await world.AppliedAsync(90), keys, 30);
    }

    [Fact]
    public async Task A_consumer_that_joins_late_reads_everything()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var keys = Keys(20);
        foreach (var key in keys)
        {
            await producer.ChangeAsync(key);
        }

        await world.AppliedAsync(20);
        await using var database = await postgres.CreateDatabaseAsync("late");
        await using var late = await Consumer.StartAsync(world, database: database, name: "late-" + world.ConsumerName);

        AssertAppliedOnceInOrder(await world.AppliedAsync(20, database), keys, 1);
    }

    [Fact]
    public async Task Two_instances_of_a_consumer_share_the_work_and_double_nothing()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var one = await Consumer.StartAsync(world);
        await using var two = await Consumer.StartAsync(world);
        var keys = Keys(12);
        for (var i = 0; i < 240; i++)
        {
            await producer.ChangeAsync(keys[i % keys.Count]);
        }

        AssertAppliedOnceInOrder(await world.AppliedAsync(240), keys, 20);
    }

    [Fact]
    public async Task A_second_instance_of_a_producer_takes_over_the_relay()
    {
        await using var world = await WorldAsync();
        var key = Guid.CreateVersion7();
        await using var consumer = await Consumer.StartAsync(world);
        await using var one = await Producer.StartAsync(world);
        await using var two = await Producer.StartAsync(world, address: "http://127.0.0.1:0");
        await one.ChangeAsync(key);
        await two.ChangeAsync(key);
        await world.AppliedAsync(2);

        // Whoever has the lock loses its connection.
        await World.ExecuteAsync(world.ProducerDatabase, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
        await one.ChangeAsync(key);
        await two.ChangeAsync(key);

        AssertAppliedOnceInOrder(await world.AppliedAsync(4), [key], 4);
    }

    [Fact]
    public async Task Lost_database_connections_are_waited_for()
    {
        await using var world = await WorldAsync();
        await using var producer = await Producer.StartAsync(world);
        await using var consumer = await Consumer.StartAsync(world);
        var keys = Keys(3);
        for (var i = 0; i < 60; i++)
        {
            await ChangeAtLastAsync(world, producer, keys[i % keys.Count], (i / keys.Count) + 1);
            if (i % 20 == 10)
            {
                await World.ExecuteAsync(world.ConsumerDatabase, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
                await World.ExecuteAsync(
                    world.ProducerDatabase,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND (query LIKE '%messaging%' OR query LIKE 'LISTEN%')");
            }
        }

        AssertAppliedOnceInOrder(await world.AppliedAsync(60), keys, 20);
        Assert.Equal(0L, await World.ValueAsync<long>(world.ConsumerDatabase, "SELECT count(*) FROM messaging.dead_letters"));
    }

    /// <summary>Changes a thing to its next version, though the connection that the pool gives may be one of those that were cut.</summary>
    private static async Task ChangeAtLastAsync(World world, Producer producer, Guid key, long version)
    {
        while (await World.ValueAsync<long>(world.ProducerDatabase, $"SELECT coalesce(max(version), 0) FROM things.things WHERE id = '{key}'") < version)
        {
            try
            {
                await producer.ChangeAsync(key);
            }
            catch (Exception cut) when (cut is NpgsqlException or InvalidOperationException or DbUpdateException)
            {
                // Whether it was committed, the database knows.
            }
        }
    }

    private static List<Guid> Keys(int count) => [.. Enumerable.Range(0, count).Select(_ => Guid.CreateVersion7())];

    private static void AssertAppliedOnceInOrder(List<ThingChanged> applied, List<Guid> keys, int versions)
    {
        Assert.All(keys, key => Assert.Equal(Enumerable.Range(1, versions).Select(i => (long)i), applied.Where(e => e.Id == key).Select(e => e.Version)));
        Assert.Equal(keys.Count * versions, applied.Count);
    }
}
