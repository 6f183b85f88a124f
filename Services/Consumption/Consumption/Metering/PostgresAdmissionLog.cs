using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>The admission log in Consumption's PostgreSQL: calls that wait together share one INSERT, settlements one transaction.</summary>
internal sealed partial class PostgresAdmissionLog : BackgroundService, IAdmissionLog
{
    private readonly IServiceScopeFactory scopes;
    private readonly NpgsqlDataSource database;
    private readonly Outbox outbox;
    private readonly CallLimits limits;
    private readonly Counters counters;
    private readonly ILogger<PostgresAdmissionLog> logger;
    private readonly GroupCommit<AdmissionRow, bool> admissions;
    private readonly GroupCommit<Settlement, bool> settlements;
    private readonly CancellationTokenSource givingUp = new();

    public PostgresAdmissionLog(
        IServiceScopeFactory scopes, NpgsqlDataSource database, Outbox outbox, CallLimits limits, Counters counters, IOptions<MeteringOptions> options, ILogger<PostgresAdmissionLog> logger)
    {
        (this.scopes, this.database, this.outbox, this.limits, this.counters, this.logger) = (scopes, database, outbox, limits, counters, logger);
        admissions = new(options.Value.MaxBatch, InsertAsync);
        settlements = new(options.Value.MaxBatch, SettleBatchAsync);
    }

    public async Task<bool> AdmitAsync(AdmissionRow admission)
    {
        try
        {
            return await admissions.WriteAsync(admission);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or ObjectDisposedException)
        {
            throw new AdmissionUnknownException("The admission could not be noted.", away);
        }
    }

    public Task SettleAsync(Settlement settlement) => settlements.WriteAsync(settlement);

    /// <summary>The listener has closed by now: what is handed in is written before the process goes, as long as the host waits.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        admissions.Complete();
        settlements.Complete();
        await (ExecuteTask ?? Task.CompletedTask).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await givingUp.CancelAsync();
        await base.StopAsync(cancellationToken);
    }

    public override void Dispose()
    {
        givingUp.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(admissions.RunAsync(), settlements.RunAsync());

    /// <summary>Inserts those whose generation stands; the share of the counters' row holds off a rebuild until they are committed.</summary>
    private async Task<IReadOnlyList<bool>> InsertAsync(IReadOnlyList<AdmissionRow> rows)
    {
        await using var insert = database.CreateCommand(
            """
            WITH standing AS MATERIALIZED (
                SELECT organisation_id, generation FROM counters WHERE organisation_id = ANY ($3) ORDER BY organisation_id FOR SHARE)
            INSERT INTO admissions (request_id, instance_id, organisation_id, generation, key_id, listing_id, version_id, provider_organisation_id, service, operation,
                                    streamed, admitted_at, day, reserved_tokens, reserved_nanos, price, microseconds_per_token)
            SELECT a.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
                AS a (request_id, instance_id, organisation_id, generation, key_id, listing_id, version_id, provider_organisation_id, service, operation,
                      streamed, admitted_at, day, reserved_tokens, reserved_nanos, price, microseconds_per_token)
            JOIN standing USING (organisation_id, generation)
            RETURNING request_id
            """);
        AdmissionColumns.AddTo(insert.Parameters, rows);
        var noted = new HashSet<Guid>(rows.Count);
        await using var reader = await insert.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            noted.Add(reader.GetGuid(0));
        }

        return [.. rows.Select(row => noted.Contains(row.RequestId))];
    }

    private async Task<IReadOnlyList<bool>> SettleBatchAsync(IReadOnlyList<Settlement> batch)
    {
        var written = await WriteUntilWrittenAsync(batch);
        foreach (var settlement in batch)
        {
            SettleCounters(settlement, written);
        }

        return [.. batch.Select(_ => true)];
    }

    private void SettleCounters(Settlement settlement, Written written)
    {
        var (admission, record) = settlement;
        if (written.TakenAway.Contains(record.RequestId))
        {
            limits.Settle(admission, record.InputTokens + record.OutputTokens, record.Nanos);
        }
        else if (written.Recorded.Contains(record.RequestId))
        {
            counters.Doubt(admission.OrganisationId, admission.Generation); // Settled before, by us without hearing of it, or by the sweeper.
        }
        else
        {
            limits.Settle(admission, tokens: 0, nanos: 0); // Never noted: all goes back.
        }
    }

    private async Task<Written> WriteUntilWrittenAsync(IReadOnlyList<Settlement> batch)
    {
        for (var delay = 50; ; delay = Math.Min(delay * 2, 2_000))
        {
            try
            {
                return await WriteAsync(batch);
            }
            catch (Exception away) when (IsTransient(away))
            {
                Log.Waiting(logger, batch.Count, away);
                await Task.Delay(delay, givingUp.Token);
            }
        }
    }

    /// <summary>Takes the admissions away and leaves records and events, in one transaction. Repeating it changes nothing.</summary>
    private async Task<Written> WriteAsync(IReadOnlyList<Settlement> batch)
    {
        await using var scope = scopes.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<ConsumptionDb>();
        await using var transaction = await context.Database.BeginTransactionAsync();
        var taken = await TakeAwayAsync(context, [.. batch.Select(s => s.Admission.OrganisationId).Distinct()], [.. batch.Select(s => s.Record.RequestId)]);
        foreach (var (_, record) in batch.Where(settlement => taken.Contains(settlement.Record.RequestId)).DistinctBy(settlement => settlement.Record.RequestId))
        {
            context.Add(record);
            outbox.Add(context, record.RequestId, aggregateVersion: 1, record.ToEvent());
        }

        await context.SaveChangesAsync();
        await transaction.CommitAsync();
        var missing = batch.Select(settlement => settlement.Record.RequestId).Where(id => !taken.Contains(id)).ToArray();
        var recorded = missing.Length == 0 ? [] : await context.Set<UsageRecord>().Where(record => missing.Contains(record.RequestId)).Select(record => record.RequestId).ToListAsync();
        return new Written(taken, [.. recorded]);
    }

    /// <summary>Deletes the open admissions among <paramref name="requests"/>; gives those that were open.</summary>
    private static async Task<HashSet<Guid>> TakeAwayAsync(ConsumptionDb context, Guid[] organisations, Guid[] requests)
    {
        await context.Database.ExecuteSqlAsync($"SELECT 1 FROM (SELECT FROM counters WHERE organisation_id = ANY ({organisations}) ORDER BY organisation_id FOR SHARE) AS held");
        return [.. await context.Database.SqlQuery<Guid>($"DELETE FROM admissions WHERE request_id = ANY ({requests}) RETURNING request_id AS \"Value\"").ToListAsync()];
    }

    private static bool IsTransient(Exception failure) => failure switch
    {
        NpgsqlException npgsql => npgsql.IsTransient || npgsql.InnerException is IOException or TimeoutException || npgsql is PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "40P01" },
        DbUpdateException { InnerException: { } inner } => IsTransient(inner),
        InvalidOperationException { InnerException: { } inner } => IsTransient(inner),
        TimeoutException => true,
        _ => false,
    };

    private sealed record Written(HashSet<Guid> TakenAway, HashSet<Guid> Recorded);

    private static partial class Log
    {
        [LoggerMessage(5111, LogLevel.Warning, "{Count} settlements wait for the database.")]
        public static partial void Waiting(ILogger logger, int count, Exception away);
    }
}
