using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Proves that this process lives. It says so every <see cref="MeteringOptions.Heartbeat"/>, to PostgreSQL and to Redis; either is enough.
/// <code>
/// beat sent ├──── LeaseTime: admits, streams ────┤ fenced: admits nothing, ends its streams, becomes a new instance as soon as PostgreSQL is there
///           ├──── LostAfter, seen by a sweeper ──────────────┤ no beat in either place: it may be declared ended, its open calls lost
/// </code>
/// A process that stops with nothing open says so, and is ended at once (<see cref="TakeLeave"/>). So a process that was paused or cut off has stopped, or stops before its next byte, when others write what became of its calls. Time is this process's monotonic clock; a beat
/// counts from when it was sent, and not at all when its answer took long.
/// </summary>
internal sealed partial class InstanceLease(NpgsqlDataSource database, IConnectionMultiplexer redis, IOptions<MeteringOptions> options, TimeProvider time, ILogger<InstanceLease> logger) : BackgroundService
{
    private static readonly TimeSpan KeptInRedis = TimeSpan.FromHours(1);
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(200);
    private readonly MeteringOptions settings = options.Value;
    private readonly TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock gate = new();
    private Guid instance;
    private long until;
    private Guid leaving;

    /// <summary>Raised when this process goes on as another instance.</summary>
    public event Action? Renewed;

    /// <summary>This instance.</summary>
    /// <exception cref="NotLeasedException">It is fenced.</exception>
    public Guid InstanceId
    {
        get
        {
            lock (gate)
            {
                return time.GetTimestamp() < until ? instance : throw new NotLeasedException();
            }
        }
    }

    /// <summary>Whether this process may admit calls now.</summary>
    public bool Leased => time.GetTimestamp() < Volatile.Read(ref until);

    /// <summary>Whether this process may pass on answers of calls that it admitted as this instance.</summary>
    public bool Holds(Guid epoch)
    {
        lock (gate)
        {
            return instance == epoch && time.GetTimestamp() < until;
        }
    }

    /// <summary>Ends when there is a lease for the first time.</summary>
    public Task FirstLease => first.Task;

    /// <summary>Tells, while it stops, that this instance has nothing open: it is marked ended once it beats no more.</summary>
    public void LeaveNothing()
    {
        lock (gate)
        {
            leaving = time.GetTimestamp() < until ? instance : Guid.Empty; // What became of a fenced one is for others to see.
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (leaving == Guid.Empty)
        {
            return;
        }

        try
        {
            await using var leave = database.CreateCommand(
                "WITH ended AS (UPDATE instances SET ended_at = clock_timestamp() WHERE instance_id = $1 AND ended_at IS NULL RETURNING instance_id) DELETE FROM instance_organisations USING ended WHERE instance_organisations.instance_id = ended.instance_id");
            leave.Parameters.Add(new NpgsqlParameter { Value = leaving });
            await leave.ExecuteNonQueryAsync(cancellationToken);
            Log.Left(logger, leaving);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or OperationCanceledException)
        {
            Log.Unheard(logger, away); // It will be missed, and found to have left nothing.
        }
    }

    /// <summary>Where an instance's last beat stands in Redis.</summary>
    public static RedisKey BeatKeyOf(Guid instance) => $"consumption:instance:{{{instance:N}}}:beat";

    /// <summary>What stands in Redis once an instance is declared ended.</summary>
    public static RedisKey EndedKeyOf(Guid instance) => $"consumption:instance:{{{instance:N}}}:ended";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var mine = await RegisterAsync(stoppingToken);
                Log.Held(logger, mine);
                first.TrySetResult();
                await HoldAsync(mine, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException or OperationCanceledException)
            {
                Log.NotRegistered(logger, away);
            }

            await Task.Delay(Again, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<Guid> RegisterAsync(CancellationToken stoppingToken)
    {
        var mine = Guid.CreateVersion7(time.GetUtcNow());
        var sent = time.GetTimestamp();
        await using var insert = database.CreateCommand("INSERT INTO instances (instance_id, name, started_at, seen_at) VALUES ($1, $2, clock_timestamp(), clock_timestamp())");
        insert.Parameters.Add(new NpgsqlParameter { Value = mine });
        insert.Parameters.Add(new NpgsqlParameter { Value = $"{Environment.MachineName}:{Environment.ProcessId}" });
        await insert.ExecuteNonQueryAsync(stoppingToken);
        bool renewed;
        lock (gate)
        {
            renewed = instance != Guid.Empty;
            (instance, until) = (mine, After(sent, settings.LeaseTime));
        }

        if (renewed)
        {
            Renewed?.Invoke();
        }

        return mine;
    }

    /// <summary>Beats until the lease runs out, or somebody ends it.</summary>
    private async Task HoldAsync(Guid mine, CancellationToken stoppingToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var beats = Task.WhenAll(BeatAsync(mine, BeatInPostgresAsync, ended), BeatAsync(mine, BeatInRedisAsync, ended));
        while (Leased && !ended.IsCancellationRequested)
        {
            await Task.Delay(settings.Heartbeat / 4, time, ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await ended.CancelAsync();
        lock (gate)
        {
            until = long.MinValue;
        }

        await beats;
        if (!stoppingToken.IsCancellationRequested)
        {
            Log.Fenced(logger, mine);
        }
    }

    private async Task BeatAsync(Guid mine, Func<Guid, CancellationToken, Task<bool>> beatAsync, CancellationTokenSource ended)
    {
        using var timer = new PeriodicTimer(settings.Heartbeat, time);
        while (!ended.IsCancellationRequested)
        {
            var sent = time.GetTimestamp();
            try
            {
                if (!await beatAsync(mine, ended.Token).WaitAsync(settings.LongestBeat, time, ended.Token))
                {
                    await ended.CancelAsync();
                    return;
                }

                Extend(sent);
            }
            catch (Exception away) when (away is NpgsqlException or RedisException or TimeoutException or OperationCanceledException)
            {
                Log.Unheard(logger, away);
            }

            try
            {
                await timer.WaitForNextTickAsync(ended.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void Extend(long sent)
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            if (now < until && now < After(sent, settings.LongestBeat))
            {
                until = Math.Max(until, After(sent, settings.LeaseTime));
            }
        }
    }

    private async Task<bool> BeatInPostgresAsync(Guid mine, CancellationToken cancellationToken)
    {
        await using var beat = database.CreateCommand("UPDATE instances SET seen_at = clock_timestamp() WHERE instance_id = $1 AND ended_at IS NULL");
        beat.Parameters.Add(new NpgsqlParameter { Value = mine });
        return await beat.ExecuteNonQueryAsync(cancellationToken) == 1;
    }

    /// <summary>First the beat, then the look: whoever ends this instance between them is seen, and before them sees the beat.</summary>
    private async Task<bool> BeatInRedisAsync(Guid mine, CancellationToken cancellationToken)
    {
        var beat = redis.GetDatabase().StringSetAsync(BeatKeyOf(mine), time.GetTimestamp(), KeptInRedis);
        var ended = redis.GetDatabase().KeyExistsAsync(EndedKeyOf(mine));
        await beat.WaitAsync(cancellationToken);
        return !await ended.WaitAsync(cancellationToken);
    }

    private long After(long timestamp, TimeSpan span) => timestamp + (long)(span.TotalSeconds * time.TimestampFrequency);

    private static partial class Log
    {
        [LoggerMessage(5101, LogLevel.Information, "This process forwards calls as instance {Instance}.")]
        public static partial void Held(ILogger logger, Guid instance);

        [LoggerMessage(5103, LogLevel.Error, "Instance {Instance} was not heard of in time, or declared ended: no call is admitted and its streams end until this process is registered anew.")]
        public static partial void Fenced(ILogger logger, Guid instance);

        [LoggerMessage(5104, LogLevel.Warning, "This process could not be registered as an instance that forwards calls; tried again.")]
        public static partial void NotRegistered(ILogger logger, Exception away);

        [LoggerMessage(5106, LogLevel.Information, "Instance {Instance} stopped, and left nothing open.")]
        public static partial void Left(ILogger logger, Guid instance);

        [LoggerMessage(5105, LogLevel.Debug, "A sign of life did not arrive in time.")]
        public static partial void Unheard(ILogger logger, Exception away);
    }
}

/// <summary>This process cannot prove that it lives, so it may admit nothing.</summary>
internal sealed class NotLeasedException() : Exception("This instance holds no lease.");
