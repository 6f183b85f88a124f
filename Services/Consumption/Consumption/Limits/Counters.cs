using System.Collections.Concurrent;
using System.Globalization;
using System.Threading.Channels;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// The counters in Redis are derived, and this is where they are derived. Each organisation's carry a generation that PostgreSQL knows too.
/// Whoever finds another generation, another run of Redis, or is in doubt whether a reservation or settlement arrived, builds them anew:
/// <code>
/// who builds (one at a time)                         each living instance that called for the organisation (ReportCalls)
///   1 takes a new generation, not ready
///                                                     2 admits nothing more by older ones, holds settlements back
///   3 waits until each has told or is ended           3 tells PostgreSQL its calls without a record: open, or ended and not shipped
///   4 sums, in one snapshot, records and calls told
///   5 SETS counters and open calls in Redis
///   6 ready                                           7 admits by the new ones, and settles what waited
/// </code>
/// So a call is in the sums once, as what it came to or as what it reserved: shipping moves it from one to the other in one transaction. A call whose record or outcome is in the sums
/// is not open in Redis, and settling it changes nothing; one that is open there is settled after 6. Admissions of an older generation, however late, are turned away.
/// </summary>
internal sealed partial class Counters : BackgroundService
{
    private const string GenerationField = "g";
    private const long Any = -1;
    private const int OfEndUsers = 2; // What grouping(key_id, end_user) is of sums by end user.
    private const string EndUserBudgets =
        "(EXISTS (SELECT FROM end_user_budgets WHERE organisation_id = $1) OR EXISTS (SELECT FROM keys WHERE organisation_id = $1 AND end_user_budget_amount IS NOT NULL))";

    private const int LockSpace = 0x4C4C_4D42; // "LLMB"
    private const int AtOnce = 4; // Each holds a connection while it waits, and those who have to report need some too.
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(25);
    private readonly NpgsqlDataSource database;
    private readonly IConnectionMultiplexer redis;
    private readonly LimitScripts scripts;
    private readonly RedisRuns runs;
    private readonly InstanceLease lease;
    private readonly ILogger<Counters> logger;
    private readonly ConcurrentDictionary<Guid, long> generations = new();
    private readonly ConcurrentDictionary<Guid, SemaphoreSlim> turns = new();
    private readonly SemaphoreSlim builders = new(AtOnce);
    private readonly CancellationTokenSource stopping = new();
    private readonly Channel<(Guid Organisation, long Generation)> doubts = Channel.CreateUnbounded<(Guid, long)>(new() { SingleReader = true });

    public Counters(NpgsqlDataSource database, IConnectionMultiplexer redis, LimitScripts scripts, RedisRuns runs, InstanceLease lease, ILogger<Counters> logger)
    {
        (this.database, this.redis, this.scripts, this.runs, this.lease, this.logger) = (database, redis, scripts, runs, lease, logger);
        runs.Broken += generations.Clear;
        lease.Renewed += generations.Clear;
    }

    /// <summary>Raised when this instance finds counters standing: what waited for them may be settled.</summary>
    public event Action<Guid, long>? Established;

    /// <summary>The generation that Redis should have, building the counters when this instance has not seen them yet.</summary>
    public ValueTask<long> GenerationAsync(Guid organisation) =>
        generations.TryGetValue(organisation, out var known) ? new(known) : new(EstablishAsync(organisation, doubted: null));

    /// <summary>Redis did not have <paramref name="generation"/>: finds out which it should have, and builds it when need be.</summary>
    public Task<long> ReestablishAsync(Guid organisation, long generation)
    {
        generations.TryRemove(KeyValuePair.Create(organisation, generation));
        return EstablishAsync(organisation, doubted: null);
    }

    /// <summary>Something of this generation may or may not have arrived in Redis: the counters will be built anew.</summary>
    public void Doubt(Guid organisation, long generation) => doubts.Writer.TryWrite((organisation, generation));

    /// <summary>The records changed in hindsight: the counters will be built anew.</summary>
    public void RebuildSoon(Guid organisation) => Doubt(organisation, Any);

    /// <summary>The counters of this generation are given up: whoever asks next waits for the ones that follow.</summary>
    public void Forget(Guid organisation, long generation)
    {
        if (generations.TryGetValue(organisation, out var known) && known <= generation)
        {
            generations.TryRemove(KeyValuePair.Create(organisation, known));
        }
    }

    /// <summary>Builds anew what nobody builds though it does not stand: whoever began, or corrected records and was to begin, died.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        var left = new List<Guid>();
        await using (var find = database.CreateCommand("SELECT organisation_id FROM counters WHERE NOT ready"))
        await using (var reader = await find.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                left.Add(reader.GetGuid(0));
            }
        }

        foreach (var organisation in left)
        {
            await TryRebuildAsync(organisation, isDoubted: false, cancellationToken, unlessReady: true);
        }
    }

    /// <summary>Builds the counters anew whatever they are.</summary>
    public async Task RebuildAsync(Guid organisation, CancellationToken cancellationToken)
    {
        while (await TryRebuildAsync(organisation, isDoubted: false, cancellationToken) is null)
        {
            await Task.Delay(Look, cancellationToken);
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await stopping.CancelAsync();
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        stopping.Dispose();
        builders.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (organisation, generation) in doubts.Reader.ReadAllAsync(stoppingToken))
        {
            for (var delay = 100; !stoppingToken.IsCancellationRequested; delay = Math.Min(delay * 2, 5_000))
            {
                try
                {
                    await (generation == Any ? RebuildAsync(organisation, stoppingToken) : EstablishAsync(organisation, doubted: generation));
                    break;
                }
                catch (Exception failure) when (failure is NpgsqlException or RedisException or RedisTimeoutException or TimeoutException or NotLeasedException)
                {
                    Log.StillInDoubt(logger, organisation, failure);
                    await Task.Delay(delay, stoppingToken);
                }
            }
        }
    }

    private async Task<long> EstablishAsync(Guid organisation, long? doubted)
    {
        var turn = turns.GetOrAdd(organisation, _ => new SemaphoreSlim(1));
        await turn.WaitAsync();
        try
        {
            if (doubted is null && generations.TryGetValue(organisation, out var established))
            {
                return established;
            }

            while (true)
            {
                if ((await AgreedAsync(organisation, doubted) ?? await TryRebuildAsync(organisation, doubted is not null, stopping.Token)) is { } generation)
                {
                    generations[organisation] = generation;
                    Established?.Invoke(organisation, generation);
                    return generation;
                }

                await Task.Delay(Look, stopping.Token); // Another instance builds them.
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <summary>The generation that PostgreSQL and this run of Redis agree on; null when they do not, or when just that one is in doubt.</summary>
    private async Task<long?> AgreedAsync(Guid organisation, long? doubted)
    {
        var run = await runs.OfAsync(LimitScripts.KeyOf(organisation));
        await using var connection = await database.OpenConnectionAsync();
        await using var known = new NpgsqlCommand(
            """
            WITH note AS (
                INSERT INTO instance_organisations (instance_id, organisation_id, reported_generation)
                VALUES ($2, $1, coalesce((SELECT generation FROM counters WHERE organisation_id = $1), 0)) ON CONFLICT DO NOTHING)
            SELECT generation FROM counters WHERE organisation_id = $1 AND redis_run = $3 AND ready AND (tracks_end_users OR NOT 
            """ + EndUserBudgets + ")",
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = lease.InstanceId }, new() { Value = run } },
        };
        if (await known.ExecuteScalarAsync() is not long generation || generation == doubted)
        {
            return null;
        }

        var inRedis = await redis.GetDatabase().HashGetAsync(LimitScripts.KeyOf(organisation), GenerationField);
        return inRedis == generation.ToString(CultureInfo.InvariantCulture) ? generation : null;
    }

    /// <summary>Builds the counters anew; null when somebody else is at it, or was.</summary>
    private async Task<long?> TryRebuildAsync(Guid organisation, bool isDoubted, CancellationToken cancellationToken, bool unlessReady = false)
    {
        await builders.WaitAsync(cancellationToken);
        try
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var take = new NpgsqlCommand("SELECT pg_try_advisory_lock($1, hashtext($2))", connection)
            {
                Parameters = { new() { Value = LockSpace }, new() { Value = organisation.ToString() } },
            };
            if (!(bool)(await take.ExecuteScalarAsync(cancellationToken))!)
            {
                return null;
            }

            try
            {
                return unlessReady && await IsReadyAsync(connection, organisation, cancellationToken) ? null : await RebuildAsync(connection, organisation, isDoubted, cancellationToken);
            }
            catch (PostgresException meanwhile) when (meanwhile.SqlState == PostgresErrorCodes.SerializationFailure)
            {
                return null; // Records were corrected while they were summed.
            }
            finally
            {
                await UnlockAsync(connection, organisation);
            }
        }
        finally
        {
            builders.Release();
        }
    }

    private static async Task<bool> IsReadyAsync(NpgsqlConnection connection, Guid organisation, CancellationToken cancellationToken)
    {
        await using var ready = new NpgsqlCommand("SELECT ready FROM counters WHERE organisation_id = $1", connection) { Parameters = { new() { Value = organisation } } };
        return await ready.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async Task UnlockAsync(NpgsqlConnection connection, Guid organisation)
    {
        if (connection.State != System.Data.ConnectionState.Open)
        {
            return; // The lock went with the session.
        }

        await using var release = new NpgsqlCommand("SELECT pg_advisory_unlock($1, hashtext($2))", connection)
        {
            Parameters = { new() { Value = LockSpace }, new() { Value = organisation.ToString() } },
        };
        await release.ExecuteNonQueryAsync();
    }

    private async Task<long> RebuildAsync(NpgsqlConnection connection, Guid organisation, bool isDoubted, CancellationToken cancellationToken)
    {
        var run = await runs.OfAsync(LimitScripts.KeyOf(organisation));
        await using var begin = new NpgsqlCommand(
            $"""
             INSERT INTO counters (organisation_id, generation, redis_run, ready) VALUES ($1, nextval('{ConsumptionDb.Generations}'), $2, false)
             ON CONFLICT (organisation_id) DO UPDATE SET generation = EXCLUDED.generation, redis_run = EXCLUDED.redis_run, ready = false
             RETURNING generation
             """,
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = run } },
        };
        var generation = (long)(await begin.ExecuteScalarAsync(cancellationToken))!;
        await UntilToldAsync(connection, organisation, generation, cancellationToken);

        await using var transaction = await connection.BeginTransactionAsync(System.Data.IsolationLevel.RepeatableRead, cancellationToken);
        var today = DateTimeOffset.FromUnixTimeMilliseconds(await scripts.TimeAsync(organisation) / 1_000);
        var sums = new CounterSums(generation) { TracksEndUsers = await TracksEndUsersAsync(connection, organisation, cancellationToken) };
        await SumAsync(connection, organisation, Periods.Day(today), sums);
        await AddOpenAsync(connection, organisation, sums);
        await AddAnswersAsync(connection, organisation, sums);
        await AddVersionsAsync(connection, organisation, sums);
        await scripts.RebuildAsync(organisation, sums);
        await using var ready = new NpgsqlCommand("UPDATE counters SET ready = true, tracks_end_users = $3 WHERE organisation_id = $1 AND generation = $2", connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = generation }, new() { Value = sums.TracksEndUsers } },
        };
        await ready.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        Log.Rebuilt(logger, organisation, generation, isDoubted);
        return generation;
    }

    /// <summary>Waits until every living instance that called for the organisation has told its calls.</summary>
    private static async Task UntilToldAsync(NpgsqlConnection connection, Guid organisation, long generation, CancellationToken cancellationToken)
    {
        await using var silent = new NpgsqlCommand(
            """
            SELECT count(*) FROM instance_organisations o JOIN instances i USING (instance_id)
            WHERE o.organisation_id = $1 AND o.reported_generation < $2 AND i.ended_at IS NULL
            """,
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = generation } },
        };
        while ((long)(await silent.ExecuteScalarAsync(cancellationToken))! > 0)
        {
            await Task.Delay(Look, cancellationToken);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5201, LogLevel.Information, "The counters of organisation {Organisation} were built from the records, generation {Generation} (doubted: {Doubted}).")]
        public static partial void Rebuilt(ILogger logger, Guid organisation, long generation, bool doubted);

        [LoggerMessage(5202, LogLevel.Warning, "The counters of organisation {Organisation} are in doubt and could not be built anew yet.")]
        public static partial void StillInDoubt(ILogger logger, Guid organisation, Exception failure);
    }
}
