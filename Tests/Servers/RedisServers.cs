using System.Globalization;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Servers;

/// <summary>
/// The two servers that speak Redis: Garnet, always there, and the system's redis-server where it is installed. Each is started by the first
/// test that asks; use it as an assembly fixture.
/// </summary>
public sealed class RedisServers : IAsyncDisposable
{
    private readonly TestDirectory directory = new("redis");
    private readonly Started<EmbeddedRedis> garnet = new(() => Task.FromResult(EmbeddedRedis.Start()));
    private readonly Started<RunningRedis> redis;

    /// <summary>Nothing is started yet.</summary>
    public RedisServers() => redis = new(() => RunningRedis.StartAsync(directory.Path));

    /// <summary>Why there is no redis-server to test with, or null when there is one.</summary>
    public static string? RedisServerSkipReason { get; } = Programs.Find("redis-server") is null
        ? "redis-server is not installed (apt-get install redis-server): tested against Garnet only."
        : null;

    /// <summary>Garnet's connection string for StackExchange.Redis. One store for the whole test process: use keys of your own.</summary>
    public async Task<string> GarnetAsync() => (await garnet.GetAsync()).ConnectionString;

    /// <summary>redis-server's connection string; only when <see cref="RedisServerSkipReason"/> is null.</summary>
    public async Task<string> RedisServerAsync() => (await redis.GetAsync()).ConnectionString;

    /// <summary>Stops what was started.</summary>
    public async ValueTask DisposeAsync()
    {
        await garnet.DisposeAsync();
        await redis.DisposeAsync();
        directory.Dispose();
    }

    private sealed record RunningRedis(ChildProcess Process, string ConnectionString) : IAsyncDisposable
    {
        public static async Task<RunningRedis> StartAsync(string directory)
        {
            var port = FreePort.Choose().ToString(CultureInfo.InvariantCulture);
            var process = await Programs.StartUntilAsync("Ready to accept connections", TimeSpan.FromSeconds(20), new()
            {
                FileName = Programs.Find("redis-server") ?? throw new InvalidOperationException(RedisServerSkipReason),
                Arguments = ["--bind", "127.0.0.1", "--port", port, "--requirepass", "test", "--save", "", "--appendonly", "no", "--dir", directory],
            });
            return new(process, $"127.0.0.1:{port},password=test");
        }

        public ValueTask DisposeAsync() => Process.DisposeAsync();
    }
}
