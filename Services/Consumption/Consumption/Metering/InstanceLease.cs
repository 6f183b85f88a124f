using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Proves that this process lives: a session of its own holds an advisory lock, and says every <see cref="MeteringOptions.Heartbeat"/> that it is there.
/// The lock falls with the process, however it dies, but not while it is paused. When the session breaks, the lock is taken again; was
/// this instance declared ended meanwhile, it goes on as a new one.
/// </summary>
internal sealed partial class InstanceLease(NpgsqlDataSource database, IOptions<MeteringOptions> options, TimeProvider time, ILogger<InstanceLease> logger) : BackgroundService
{
    private readonly TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private (Guid Id, long Lock)? held;
    private volatile bool leased;

    /// <summary>Raised when this process goes on as another instance.</summary>
    public event Action? Renewed;

    /// <summary>This instance.</summary>
    /// <exception cref="NotLeasedException">The lock is not held now.</exception>
    public Guid InstanceId => leased ? held!.Value.Id : throw new NotLeasedException();

    public bool Leased => leased;

    /// <summary>Ends when the lock is held for the first time.</summary>
    public Task FirstLease => first.Task;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await HoldAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception broken) when (broken is NpgsqlException or TimeoutException)
            {
                Log.Lost(logger, broken);
            }
            finally
            {
                leased = false;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task HoldAsync(CancellationToken stoppingToken)
    {
        await using var connection = database.CreateConnection();
        await connection.OpenAsync(stoppingToken);
        var before = held;
        if (before is not { } mine || !await TakeAsync(connection, mine, stoppingToken))
        {
            held = await RegisterAsync(connection, stoppingToken);
        }

        leased = true;
        if (before is not null && before != held)
        {
            Renewed?.Invoke();
        }

        Log.Held(logger, held!.Value.Id);
        first.TrySetResult();
        using var timer = new PeriodicTimer(options.Value.Heartbeat, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await using var beat = new NpgsqlCommand("UPDATE instances SET seen_at = clock_timestamp() WHERE instance_id = $1 AND ended_at IS NULL", connection)
            {
                Parameters = { new() { Value = held.Value.Id } },
            };
            if (await beat.ExecuteNonQueryAsync(stoppingToken) == 0)
            {
                return; // Declared ended: go on as a new instance.
            }
        }
    }

    private async Task<(Guid Id, long Lock)> RegisterAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7(time.GetUtcNow());
        await using var insert = new NpgsqlCommand(
            """
            WITH me AS (INSERT INTO instances (instance_id, name, started_at, seen_at) VALUES ($1, $2, clock_timestamp(), clock_timestamp()) RETURNING lock_id)
            SELECT lock_id, pg_advisory_lock($3, lock_id::int) FROM me
            """,
            connection)
        {
            Parameters = { new() { Value = id }, new() { Value = $"{Environment.MachineName}:{Environment.ProcessId}" }, new() { Value = LockSpace } },
        };
        return (id, (long)(await insert.ExecuteScalarAsync(cancellationToken))!);
    }

    /// <summary>Takes the lock of an earlier session again, unless the instance was declared ended.</summary>
    private static async Task<bool> TakeAsync(NpgsqlConnection connection, (Guid Id, long Lock) mine, CancellationToken cancellationToken)
    {
        await using var take = new NpgsqlCommand("SELECT pg_advisory_lock($1, $2)", connection) { Parameters = { new() { Value = LockSpace }, new() { Value = (int)mine.Lock } } };
        await take.ExecuteNonQueryAsync(cancellationToken);
        await using var alive = new NpgsqlCommand("UPDATE instances SET seen_at = clock_timestamp() WHERE instance_id = $1 AND ended_at IS NULL", connection)
        {
            Parameters = { new() { Value = mine.Id } },
        };
        return await alive.ExecuteNonQueryAsync(cancellationToken) == 1;
    }

    /// <summary>Advisory locks of instances, apart from all others.</summary>
    internal const int LockSpace = 0x4C4C_4D43; // "LLMC"

    private static partial class Log
    {
        [LoggerMessage(5101, LogLevel.Information, "This process forwards calls as instance {Instance}.")]
        public static partial void Held(ILogger logger, Guid instance);

        [LoggerMessage(5102, LogLevel.Warning, "The session that proves this instance alive broke; no call is admitted until it is back.")]
        public static partial void Lost(ILogger logger, Exception broken);
    }
}

/// <summary>This process cannot prove that it lives, so it may admit nothing.</summary>
internal sealed class NotLeasedException() : Exception("This instance holds no lease.");
