using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Servers;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;
using Xunit;

namespace LlmMarketplace.Embedded.Tests.Redis;

/// <summary>What limits need of a Redis, on each server we have.</summary>
public abstract class RedisTests
{
    private const string Take = """
        local taken = tonumber(redis.call('GET', KEYS[1]) or '0')
        if taken >= tonumber(ARGV[1]) then return 0 end
        redis.call('SET', KEYS[1], string.format('%d', taken + 1))
        return 1
        """;

    [Fact]
    public async Task A_script_is_atomic_however_many_connections_run_it()
    {
        var options = await OptionsAsync();
        var key = (RedisKey)$"atomic:{Guid.CreateVersion7()}";
        var connections = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ConnectionMultiplexer.ConnectAsync(options.Clone())));
        var results = await Task.WhenAll(Enumerable.Range(0, 2000)
            .Select(async i => (int)await connections[i % connections.Length].GetDatabase().ScriptEvaluateAsync(Take, [key], [500])));
        Assert.Equal(500, results.Sum());
        foreach (var connection in connections)
        {
            await connection.DisposeAsync();
        }
    }

    [Fact]
    public async Task It_wants_its_password()
    {
        var options = await OptionsAsync();
        options.Password = "guess";
        options.AbortOnConnectFail = true;
        options.ConnectTimeout = 1000;
        options.ConnectRetry = 1;
        await Assert.ThrowsAsync<RedisConnectionException>(() => ConnectionMultiplexer.ConnectAsync(options));
    }

    protected abstract Task<ConfigurationOptions> OptionsAsync();
}

public sealed class GarnetTests(RedisServers servers) : RedisTests
{
    [Fact]
    public void A_port_in_use_is_said()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var refused = Assert.Throws<EmbeddedServerException>(() => EmbeddedRedis.Start(new() { Port = port }));
        Assert.Equal($"Port {port} is in use: stop what listens there, or choose another port for Redis.", refused.Message);
    }

    [Fact]
    public async Task It_can_be_stopped_and_started_again_on_its_port()
    {
        var first = EmbeddedRedis.Start();
        await first.DisposeAsync();
        await using var second = EmbeddedRedis.Start(new() { Port = first.Port, Password = first.Password });
        await using var connection = await ConnectionMultiplexer.ConnectAsync(first.ConnectionString);
        Assert.True(await connection.GetDatabase().StringSetAsync("a", "b"));
    }

    protected override async Task<ConfigurationOptions> OptionsAsync() => ConfigurationOptions.Parse(await servers.GarnetAsync());
}

public sealed class InProcessTests : RedisTests, IAsyncDisposable
{
    private readonly EmbeddedRedis redis = EmbeddedRedis.Start(new() { MemoryMegabytes = 64 });

    [Fact]
    public async Task An_answer_larger_than_any_buffer_comes_whole()
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(await OptionsAsync());
        var value = RandomNumberGenerator.GetBytes(1_500_000);
        Assert.True(await connection.GetDatabase().StringSetAsync("large", value));
        Assert.Equal(value, (byte[]?)await connection.GetDatabase().StringGetAsync("large"));
    }

    [Fact]
    public async Task A_command_may_come_in_pieces()
    {
        await using var connection = redis.Connect();
        foreach (var piece in Encoding.ASCII.GetBytes($"*2\r\n$4\r\nAUTH\r\n${redis.Password.Length}\r\n{redis.Password}\r\n*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n"))
        {
            await connection.WriteAsync(new[] { piece }, TestContext.Current.CancellationToken);
        }

        var expected = "+OK\r\n+PONG\r\n$5\r\nhello\r\n";
        var answer = new byte[expected.Length];
        await connection.ReadExactlyAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(expected, Encoding.ASCII.GetString(answer));
    }

    [Fact]
    public async Task It_and_its_port_are_one_store()
    {
        await using var inside = await ConnectionMultiplexer.ConnectAsync(await OptionsAsync());
        await using var outside = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await inside.GetDatabase().StringSetAsync("a", "b");
        Assert.Equal("b", (string?)await outside.GetDatabase().StringGetAsync("a"));
    }

    [Fact]
    public async Task What_others_publish_comes()
    {
        await using var inside = await ConnectionMultiplexer.ConnectAsync(await OptionsAsync());
        await using var outside = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        var heard = await inside.GetSubscriber().SubscribeAsync(RedisChannel.Literal("news"));
        await outside.GetSubscriber().PublishAsync(RedisChannel.Literal("news"), "here");
        Assert.Equal("here", (string?)(await heard.ReadAsync(TestContext.Current.CancellationToken)).Message);
    }

    [Fact]
    public async Task It_ends_with_the_server()
    {
        await using var connection = redis.Connect();
        await redis.DisposeAsync();
        Assert.Equal(0, await connection.ReadAsync(new byte[1], TestContext.Current.CancellationToken));
        Assert.Throws<IOException>(() => connection.Write("PING\r\n"u8));
        Assert.Throws<IOException>(redis.Connect);
    }

    public async ValueTask DisposeAsync() => await redis.DisposeAsync();

    protected override Task<ConfigurationOptions> OptionsAsync()
    {
        var options = ConfigurationOptions.Parse(redis.ConnectionString);
        options.Tunnel = new Within(redis);
        return Task.FromResult(options);
    }

    private sealed class Within(EmbeddedRedis redis) : Tunnel
    {
        public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) => new((EndPoint?)null);

        public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) => new(redis.Connect());
    }
}

public sealed class RedisServerTests(RedisServers servers) : RedisTests
{
    protected override async Task<ConfigurationOptions> OptionsAsync()
    {
        Assert.SkipWhen(RedisServers.RedisServerSkipReason is not null, RedisServers.RedisServerSkipReason ?? "");
        return ConfigurationOptions.Parse(await servers.RedisServerAsync());
    }
}
