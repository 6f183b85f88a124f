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
/// rebuild (one transaction)                       admission, settlement (one transaction each)
///   1 takes a new generation: row lock              1 take a share of that row; an admission of another generation is
///   2 moves open admissions to it                     turned away and reserves anew
///   3 sums records and open admissions              2 insert, or delete and record
///   4 SETS counters and open calls in Redis
///   5 commits                                       3 settlement: gives the difference back, if Redis has the call open
/// </code>
/// So an admission or a record is either in the sums or comes after them, never both: a call whose record is in the sums is not open any more, and
/// settling it changes nothing; and admissions of an older generation, however late, are turned away.
/// </summary>
internal sealed partial class Counters : BackgroundService
{
    private const string GenerationField = "g";
    private readonly NpgsqlDataSource database;
    private readonly IConnectionMultiplexer redis;
    private readonly LimitScripts scripts;
    private readonly RedisRuns runs;
    private readonly InstanceLease lease;
    private readonly ILogger<Counters> logger;
    private readonly ConcurrentDictionary<Guid, long> generations = new();
    private readonly ConcurrentDictionary<Guid, SemaphoreSlim> turns = new();
    private readonly Channel<(Guid Organisation, long Generation)> doubts = Channel.CreateUnbounded<(Guid, long)>(new() { SingleReader = true });

    public Counters(NpgsqlDataSource database, IConnectionMultiplexer redis, LimitScripts scripts, RedisRuns runs, InstanceLease lease, ILogger<Counters> logger)
    {
        (this.database, this.redis, this.scripts, this.runs, this.lease, this.logger) = (database, redis, scripts, runs, lease, logger);
        runs.Broken += generations.Clear;
        lease.Renewed += generations.Clear;
    }

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

    /// <summary>Builds the counters anew whatever they are.</summary>
    public async Task RebuildAsync(Guid organisation) => generations[organisation] = await RebuildAsync(organisation, doubted: null);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var (organisation, generation) in doubts.Reader.ReadAllAsync(stoppingToken))
        {
            for (var delay = 100; !stoppingToken.IsCancellationRequested; delay = Math.Min(delay * 2, 5_000))
            {
                try
                {
                    await EstablishAsync(organisation, doubted: generation);
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

            var generation = await AgreedAsync(organisation, doubted) ?? await RebuildAsync(organisation, doubted);
            generations[organisation] = generation;
            return generation;
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
            WITH note AS (INSERT INTO instance_organisations (instance_id, organisation_id) VALUES ($2, $1) ON CONFLICT DO NOTHING)
            SELECT generation FROM counters WHERE organisation_id = $1 AND redis_run = $3
            """,
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

    private async Task<long> RebuildAsync(Guid organisation, long? doubted)
    {
        var key = LimitScripts.KeyOf(organisation);
        var run = await runs.OfAsync(key);
        await using var connection = await database.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var begin = new NpgsqlCommand(
            $"""
             INSERT INTO counters (organisation_id, generation, redis_run) VALUES ($1, nextval('{ConsumptionDb.Generations}'), $2)
             ON CONFLICT (organisation_id) DO UPDATE SET generation = EXCLUDED.generation, redis_run = EXCLUDED.redis_run
             RETURNING generation
             """,
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = run } },
        };
        var generation = (long)(await begin.ExecuteScalarAsync())!;
        await using var move = new NpgsqlCommand("UPDATE admissions SET generation = $2 WHERE organisation_id = $1", connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = generation } },
        };
        await move.ExecuteNonQueryAsync();

        var today = DateTimeOffset.FromUnixTimeMilliseconds(await scripts.TimeAsync(organisation) / 1_000);
        var sums = new CounterSums(generation);
        await SumAsync(connection, organisation, Periods.Day(today), sums);
        await AddOpenAsync(connection, organisation, sums);
        await scripts.RebuildAsync(organisation, sums);
        await transaction.CommitAsync();
        Log.Rebuilt(logger, organisation, generation, doubted is not null);
        return generation;
    }

    /// <summary>What the records and the open admissions come to.</summary>
    private static async Task SumAsync(NpgsqlConnection connection, Guid organisation, int day, CounterSums into)
    {
        await using var sums = new NpgsqlCommand(
            """
            SELECT key_id,
                   coalesce(sum(nanos) FILTER (WHERE day = $2), 0), coalesce(sum(nanos) FILTER (WHERE day / 100 = $2 / 100), 0), coalesce(sum(nanos), 0),
                   coalesce(sum(tokens) FILTER (WHERE day / 100 = $2 / 100), 0), count(*) FILTER (WHERE open)
            FROM (SELECT key_id, day, nanos::numeric AS nanos, (input_tokens + output_tokens)::numeric AS tokens, false AS open FROM usage_records WHERE organisation_id = $1
                  UNION ALL
                  SELECT key_id, day, reserved_nanos, reserved_tokens, true FROM admissions WHERE organisation_id = $1) AS calls
            GROUP BY GROUPING SETS ((key_id), ())
            """,
            connection)
        {
            Parameters = { new() { Value = organisation }, new() { Value = day } },
        };
        await using var reader = await sums.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            var field = await reader.IsDBNullAsync(0) ? LimitScripts.OrganisationField : LimitScripts.FieldOf(reader.GetGuid(0));
            into.AddAccount(field, day, reader.GetDecimal(1), reader.GetDecimal(2), reader.GetDecimal(3), reader.GetDecimal(4), reader.GetInt64(5));
        }
    }

    private static async Task AddOpenAsync(NpgsqlConnection connection, Guid organisation, CounterSums into)
    {
        await using var open = new NpgsqlCommand(
            "SELECT request_id, instance_id, day, admitted_at, reserved_tokens, reserved_nanos, microseconds_per_token FROM admissions WHERE organisation_id = $1", connection)
        {
            Parameters = { new() { Value = organisation } },
        };
        await using var reader = await open.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            into.AddOpen(
                reader.GetGuid(0), reader.GetGuid(1), reader.GetInt32(2), reader.GetFieldValue<DateTimeOffset>(3), reader.GetInt64(4), reader.GetInt64(5), reader.GetDouble(6));
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
