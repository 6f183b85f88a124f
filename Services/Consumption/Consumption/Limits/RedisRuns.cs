using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>Which run of the Redis server answers: one that was restarted may have come back with old counters, or none.</summary>
internal sealed class RedisRuns : IDisposable
{
    private readonly IConnectionMultiplexer redis;
    private readonly ConcurrentDictionary<EndPoint, string> runs = new();

    public RedisRuns(IConnectionMultiplexer redis)
    {
        this.redis = redis;
        redis.ConnectionFailed += Forget;
    }

    /// <summary>Raised when a connection broke: what was known of the counters behind it is not known any more.</summary>
    public event Action? Broken;

    public async Task<string> OfAsync(RedisKey key)
    {
        var endpoint = await redis.GetDatabase().IdentifyEndpointAsync(key) ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "No Redis server is connected.");
        if (runs.TryGetValue(endpoint, out var known))
        {
            return known;
        }

        var info = await redis.GetServer(endpoint).InfoAsync("server");
        var run = info.SelectMany(section => section).FirstOrDefault(entry => entry.Key == "run_id").Value ?? "";
        runs[endpoint] = run;
        return run;
    }

    public void Dispose() => redis.ConnectionFailed -= Forget;

    private void Forget(object? sender, ConnectionFailedEventArgs e)
    {
        runs.Clear();
        Broken?.Invoke();
    }
}
