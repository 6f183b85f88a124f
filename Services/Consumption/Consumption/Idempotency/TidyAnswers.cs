using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Limits;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>Keeps answers within their bounds: removes those whose time is over; of an organisation that has too many bytes gives up the oldest answers, of one that has too many keys forgets the oldest.</summary>
internal sealed partial class TidyAnswers(NpgsqlDataSource database, LimitScripts scripts, IOptions<IdempotencyOptions> options, TimeProvider time, ILogger<TidyAnswers> logger) : BackgroundService
{
    private const int AtOnce = 1_000;
    private const int MaxLater = 100_000;
    private readonly ConcurrentDictionary<Guid, bool> touched = new();
    private readonly ConcurrentQueue<(Guid Organisation, Claim Claim, Guid Call)> later = new();

    /// <summary>An organisation has one more.</summary>
    public void Touched(Guid organisation) => touched[organisation] = true;

    /// <summary>PostgreSQL is still to be told that a call was complete, and that its answer is not kept.</summary>
    public void WriteLater(Guid organisation, Claim claim, Guid call)
    {
        if (later.Count < MaxLater)
        {
            later.Enqueue((organisation, claim, call));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.TidyEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await TidyAsync(stoppingToken);
                }
                catch (Exception away) when (away is NpgsqlException or TimeoutException or RedisException)
                {
                    Log.Later(logger, away);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    private async Task TidyAsync(CancellationToken cancellationToken)
    {
        while (later.TryPeek(out var untold))
        {
            await KeepAnswer.WriteAsync(database, untold.Organisation, untold.Claim, untold.Call, "", null, cancellationToken);
            later.TryDequeue(out _);
        }

        await RemoveOldAsync(cancellationToken);
        foreach (var organisation in touched.Keys)
        {
            touched.TryRemove(organisation, out _);
            try
            {
                await GiveUpAsync(organisation, cancellationToken);
                await ForgetAsync(organisation, cancellationToken);
            }
            catch
            {
                touched[organisation] = true;
                throw;
            }
        }
    }

    private async Task RemoveOldAsync(CancellationToken cancellationToken)
    {
        await using var remove = database.CreateCommand(
            "DELETE FROM kept_answers WHERE (organisation_id, claim) IN (SELECT organisation_id, claim FROM kept_answers WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)");
        remove.Parameters.Add(new() { Value = AtOnce });
        while (await remove.ExecuteNonQueryAsync(cancellationToken) == AtOnce)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    private async Task GiveUpAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var giveUp = database.CreateCommand(
            """
            UPDATE kept_answers SET answer = NULL, key_id = NULL, bytes = 0 WHERE organisation_id = $1 AND bytes > 0 AND claim IN (
                SELECT claim FROM (SELECT claim, sum(bytes) OVER (ORDER BY created_at DESC, claim) AS together FROM kept_answers WHERE organisation_id = $1) AS newest WHERE together > $2)
            """);
        giveUp.Parameters.Add(new() { Value = organisation });
        giveUp.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        await giveUp.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task ForgetAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var forget = database.CreateCommand(
            "DELETE FROM kept_answers WHERE organisation_id = $1 AND claim IN (SELECT claim FROM kept_answers WHERE organisation_id = $1 ORDER BY created_at DESC, claim OFFSET $2) RETURNING claim");
        forget.Parameters.Add(new() { Value = organisation });
        forget.Parameters.Add(new() { Value = options.Value.MaxOrganisationKeys });
        var forgotten = new List<string>();
        await using (var reader = await forget.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                forgotten.Add(reader.GetString(0));
            }
        }

        foreach (var some in forgotten.Chunk(AtOnce))
        {
            await scripts.ForgetAsync(organisation, some);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5302, LogLevel.Warning, "Answers kept for idempotency keys could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
