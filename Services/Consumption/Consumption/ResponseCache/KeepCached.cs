using System.Threading.Channels;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Idempotency;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>
/// Writes complete answers into the cache once their calls are settled, one after the other and beside the calls, which never wait for it:
/// <code>
/// outcome in the usage log ─► waits here (a full queue drops it) ─► one INSERT, if the organisation's cache is still on and was not erased since
/// </code>
/// An answer that cannot be written is given up: the next call asks the provider again.
/// </summary>
internal sealed partial class KeepCached(
    NpgsqlDataSource database, AnswerProtector protector, TidyCache tidy, ConsumptionTelemetry telemetry, IOptions<CacheOptions> options, TimeProvider time, ILogger<KeepCached> logger) : BackgroundService
{
    private readonly Channel<Waiting> waiting = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(options.Value.MaxWaiting) { SingleReader = true });

    /// <summary>Takes the answer of a call that is settled as completed, if it is to be kept.</summary>
    public void Keep(Call call)
    {
        if (call.Cache is not { Found: null } use || use.KeepFor == TimeSpan.Zero || call.Copy!.Bytes is not { } body || body.Length > options.Value.MaxAnswerBytes)
        {
            return;
        }

        var answer = new Answer(call.Copy.ContentType!, new Dictionary<string, string>(), body, call.Copy.Status);
        if (!waiting.Writer.TryWrite(new Waiting(call.Organisation!.Id, use, call.Id, answer, time.GetTimestamp())))
        {
            telemetry.CacheDropped();
        }
    }

    /// <summary>To what an answer in the cache is bound, beside its organisation and its call.</summary>
    internal static string Bound(string key) => $"cached {key}";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var one in waiting.Reader.ReadAllAsync(stoppingToken))
            {
                try
                {
                    await WriteAsync(one, stoppingToken);
                    tidy.Touched(one.Organisation);
                }
                catch (Exception away) when (away is NpgsqlException or TimeoutException)
                {
                    telemetry.CacheDropped();
                    Log.NotKept(logger, one.Call, away);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped: what still waits is asked for again.
        }
    }

    private async Task WriteAsync(Waiting one, CancellationToken cancellationToken)
    {
        var bytes = protector.Protect(one.Organisation, Bound(one.Use.Key), one.Call, one.Answer);
        await using var connection = await database.OpenConnectionAsync(cancellationToken); // First of all, for it may be waited for.
        await using var write = new NpgsqlCommand(
            """
            WITH setting AS (
                SELECT statement_timestamp() - $7 AS answered FROM response_cache_settings
                WHERE organisation_id = $1 AND time_to_live_seconds IS NOT NULL AND (erased_at IS NULL OR erased_at < statement_timestamp() - $7) FOR SHARE)
            INSERT INTO cached_answers AS c (organisation_id, cache_key, call_id, key_id, answer, bytes, created_at, expires_at)
            SELECT $1, $2, $3, $4, $5, $6, answered, answered + $8 FROM setting
            ON CONFLICT (organisation_id, cache_key) DO UPDATE SET call_id = excluded.call_id, key_id = excluded.key_id, answer = excluded.answer, bytes = excluded.bytes,
                created_at = excluded.created_at, expires_at = excluded.expires_at WHERE c.created_at < excluded.created_at
            """,
            connection);
        write.Parameters.Add(new() { Value = one.Organisation });
        write.Parameters.Add(new() { Value = one.Use.Key });
        write.Parameters.Add(new() { Value = one.Call });
        write.Parameters.Add(new() { Value = protector.KeyId });
        write.Parameters.Add(new() { Value = bytes });
        write.Parameters.Add(new() { Value = bytes.Length });
        write.Parameters.Add(new() { Value = time.GetElapsedTime(one.Since) });
        write.Parameters.Add(new() { Value = one.Use.KeepFor });
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    private sealed record Waiting(Guid Organisation, CacheUse Use, Guid Call, Answer Answer, long Since);

    private static partial class Log
    {
        [LoggerMessage(5311, LogLevel.Warning, "The answer of call {Call} could not be written into the response cache.")]
        public static partial void NotKept(ILogger logger, Guid call, Exception away);
    }
}
