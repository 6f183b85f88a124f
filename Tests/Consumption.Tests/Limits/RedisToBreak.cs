using System.Globalization;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;
using StackExchange.Redis;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>Which server keeps the limits.</summary>
public enum RedisKind
{
    /// <summary>Embedded.</summary>
    Garnet,

    /// <summary>The system's.</summary>
    RedisServer,
}

/// <summary>A Redis that a test may flush, kill and start again at the same address; what it held is gone then.</summary>
internal sealed class RedisToBreak : IAsyncDisposable
{
    private const string Password = "test";
    private readonly RedisKind kind;
    private readonly TestDirectory directory = new("redis-to-break");
    private readonly int port = FreePort.Choose();
    private IAsyncDisposable? running;

    private RedisToBreak(RedisKind kind) => this.kind = kind;

    public string ConnectionString => $"127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)},password={Password}";

    public static void SkipIfAbsent(RedisKind kind) => Assert.SkipWhen(kind == RedisKind.RedisServer && RedisServers.RedisServerSkipReason is not null, RedisServers.RedisServerSkipReason ?? "");

    public static async Task<RedisToBreak> StartAsync(RedisKind kind)
    {
        SkipIfAbsent(kind);
        var redis = new RedisToBreak(kind);
        await redis.StartAsync();
        return redis;
    }

    public async Task StartAsync() => running = kind == RedisKind.Garnet
        ? EmbeddedRedis.Start(new() { Port = port, Password = Password, MemoryMegabytes = 64 })
        : await Programs.StartUntilAsync("Ready to accept connections", TimeSpan.FromSeconds(60), new()
        {
            FileName = Programs.Find("redis-server")!,
            Arguments = ["--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--requirepass", Password, "--save", "", "--appendonly", "no", "--dir", directory.Path],
        });

    public async Task KillAsync()
    {
        if (running is ChildProcess process)
        {
            process.Send(ProcessSignal.Kill);
            await process.Exited;
        }

        await running!.DisposeAsync();
        running = null;
    }

    public async Task FlushAsync()
    {
        await using var administrator = await ConnectionMultiplexer.ConnectAsync(ConnectionString);
        await administrator.GetDatabase().ExecuteAsync("FLUSHALL");
    }

    public async ValueTask DisposeAsync()
    {
        if (running is not null)
        {
            await running.DisposeAsync();
        }

        directory.Dispose();
    }
}
