using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>Which run of the Redis server answers: one that was restarted may have come back with old counters, or none.</summary>
internal sealed class RedisRuns : IDisposable
{
    // INFO by itself is for connections of administrators only, in StackExchange.Redis's eyes.
    private const string Info = "local info = redis.pcall('INFO', 'server') if type(info) == 'table' then return '' end return info";
    private const string RunId = "run_id:";

    private readonly IConnectionMultiplexer redis;
    private readonly ConcurrentDictionary<EndPoint, string> runs = new();
    private int breaks;

    public RedisRuns(IConnectionMultiplexer redis)
    {
        this.redis = redis;
        redis.ConnectionFailed += Forget;
    }

    /// <summary>Raised when a connection broke: what was known of the counters behind it is not known any more.</summary>
    public event Action? Broken;

    /// <summary>How often a connection broke: an answer before and after which it differs may be another run's.</summary>
    public int Breaks => Volatile.Read(ref breaks);

    public async Task<string> OfAsync(RedisKey key)
    {
        var endpoint = await redis.GetDatabase().IdentifyEndpointAsync(key) ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "No Redis server is connected.");
        if (runs.TryGetValue(endpoint, out var known))
        {
            return known;
        }

        var info = (string?)await redis.GetDatabase().ScriptEvaluateAsync(Info, [key]) ?? "";
        var run = info.Split('\n').FirstOrDefault(line => line.StartsWith(RunId, StringComparison.Ordinal))?[RunId.Length..].Trim() ?? "";
        runs[endpoint] = run;
        return run;
    }

    public void Dispose() => redis.ConnectionFailed -= Forget;

    private void Forget(object? sender, ConnectionFailedEventArgs e)
    {
        Interlocked.Increment(ref breaks);
        runs.Clear();
        Broken?.Invoke();
    }
}
