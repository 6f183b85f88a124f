using System.Net;
using System.Net.Sockets;
using LlmMarketplace.Servers;
using StackExchange.Redis;
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
        var connectionString = await ConnectAsync();
        var key = (RedisKey)$"atomic:{Guid.CreateVersion7()}";
        var connections = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ConnectionMultiplexer.ConnectAsync(connectionString)));
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
        var options = ConfigurationOptions.Parse(await ConnectAsync());
        options.Password = "guess";
        options.AbortOnConnectFail = true;
        options.ConnectTimeout = 1000;
        options.ConnectRetry = 1;
        await Assert.ThrowsAsync<RedisConnectionException>(() => ConnectionMultiplexer.ConnectAsync(options));
    }

    protected abstract Task<string> ConnectAsync();
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

    protected override Task<string> ConnectAsync() => servers.GarnetAsync();
}

public sealed class RedisServerTests(RedisServers servers) : RedisTests
{
    protected override Task<string> ConnectAsync()
    {
        Assert.SkipWhen(RedisServers.RedisServerSkipReason is not null, RedisServers.RedisServerSkipReason ?? "");
        return servers.RedisServerAsync();
    }
}
