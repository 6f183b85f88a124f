using System.Net;
using System.Net.Sockets;
using LlmMarketplace.Embedded;
using Npgsql;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace LlmMarketplace.AllInOne;

/// <summary>PostgreSQL with a database per service, and Redis.</summary>
internal sealed class BackingServers(EmbeddedPostgres postgres, EmbeddedRedis redis, IReadOnlyDictionary<string, EmbeddedDatabase> databases) : IAsyncDisposable
{
    // Six applications with a pool each have to find room in it.
    private const int MaxConnections = 260;
    private const int PoolSize = 40;

    public string RedisConnectionString => redis.ConnectionString;

    /// <summary>This process's own way to Redis, by memory; others connect to its port.</summary>
    public Tunnel RedisTunnel { get; } = new InProcess(redis);

    /// <summary>Ends when PostgreSQL has ended.</summary>
    public Task PostgresExited => postgres.Exited;

    public static async Task<BackingServers> StartAsync(DataDirectory data, KeyRing keys, IEnumerable<string> databaseNames, Progress progress, CancellationToken cancellation)
    {
        var postgres = await progress.StepAsync(
            data.HasData ? "PostgreSQL" : "PostgreSQL, created",
            () => EmbeddedPostgres.StartAsync(new() { Directory = data.Postgres, MaxConnections = MaxConnections }, cancellation),
            started => $"127.0.0.1:{started.Port}");
        try
        {
            var redis = await progress.StepAsync("Redis (Garnet)", () => Task.FromResult(EmbeddedRedis.Start(new() { Password = keys.Redis })), started => $"127.0.0.1:{started.Port}");
            var databases = new Dictionary<string, EmbeddedDatabase>();
            foreach (var name in databaseNames)
            {
                var (owner, app) = ($"{name}_owner", $"{name}_app");
                databases[name] = await postgres.CreateDatabaseAsync(name, owner, keys.DatabaseRole(owner), app, keys.DatabaseRole(app), cancellation);
            }

            return new(postgres, redis, databases);
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>The connection strings of one database: the application role's, and the owner's for migrations.</summary>
    public IEnumerable<KeyValuePair<string, string?>> ConnectionStrings(string database)
    {
        var (owner, app) = databases[database];
        yield return new($"ConnectionStrings:{database}", Pooled(app));
        yield return new($"ConnectionStrings:{database}-owner", owner);
    }

    public async ValueTask DisposeAsync()
    {
        await redis.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await postgres.DisposeAsync();
    }

    private static string Pooled(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { MaxPoolSize = PoolSize }.ConnectionString;

    private sealed class InProcess(EmbeddedRedis redis) : Tunnel
    {
        public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) => new((EndPoint?)null);

        public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) => new(redis.Connect());
    }
}
