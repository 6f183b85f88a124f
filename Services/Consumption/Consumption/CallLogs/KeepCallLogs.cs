using System.Text.Json;
using System.Threading.Channels;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>What of a call is to be logged.</summary>
/// <param name="Policy">By which setting.</param>
/// <param name="Request">Its body; null when it had none, or one too long to be read.</param>
/// <param name="RequestType">The media type of its body.</param>
/// <param name="RequestBytes">How long that is.</param>
internal sealed record CallToLog(LoggingPolicy Policy, byte[]? Request, string? RequestType, long RequestBytes);

/// <summary>
/// Logs calls of organisations that have switched it on, one after the other and beside the calls, which never wait for it:
/// <code>
/// admitted ─► drawn? its body copied ─► … settled ─► waits here (a full queue drops it) ─► redacted ─► sealed ─► one INSERT, if logging is still on and was not erased since
/// </code>
/// What cannot be written is given up.
/// </summary>
internal sealed partial class KeepCallLogs(
    OptedIn<LoggingPolicy> policies, NpgsqlDataSource database, AnswerProtector protector, TidyCallLogs tidy, ConsumptionTelemetry telemetry, IOptions<CallLogOptions> options, TimeProvider time,
    ILogger<KeepCallLogs> logger) : BackgroundService
{
    /// <summary>To what a logged call is bound, beside its organisation and its id.</summary>
    internal const string Bound = "call log";

    private readonly Channel<Waiting> waiting = Channel.CreateBounded<Waiting>(new BoundedChannelOptions(options.Value.MaxWaiting) { SingleReader = true });
    private long bytesWaiting;

    /// <summary>Remembers of an admitted call what is needed to log it, if it is to be logged.</summary>
    public void Begin(Call call)
    {
        if (policies.Of(call.Organisation!.Id) is not { } policy || policy.Services?.Contains(call.Plan!.Version.Listing.Name) == false || !IsDrawn(policy.Share))
        {
            return;
        }

        var body = call.Body?.Bytes ?? default;
        var isRead = call.Body is not null && body.Length <= options.Value.MaxReadBytes && Interlocked.Read(ref bytesWaiting) + body.Length <= options.Value.MaxWaitingBytes;
        call.ToLog = new CallToLog(policy, isRead ? body.ToArray() : null, call.Body is null ? null : call.Http.Request.ContentType, body.Length);
        call.Copy ??= new AnswerCopy(options.Value.MaxReadBytes);
        call.Copy.Forget(); // It may hold what a call was refused that this one is the fallback of.
    }

    /// <summary>Takes a call that is settled.</summary>
    public void Keep(Call call, UsageRecord record)
    {
        if (call.ToLog is not { } log)
        {
            return;
        }

        var one = new Waiting(log, record, call.Copy!.ContentType, call.Copy.Bytes, time.GetTimestamp());
        if (Interlocked.Add(ref bytesWaiting, one.Bytes) > options.Value.MaxWaitingBytes || !waiting.Writer.TryWrite(one))
        {
            Interlocked.Add(ref bytesWaiting, -one.Bytes);
            telemetry.CallLogDropped();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var one in waiting.Reader.ReadAllAsync(stoppingToken))
            {
                try
                {
                    await WriteAsync(one, stoppingToken);
                    tidy.Touched(one.Record.OrganisationId);
                }
#pragma warning disable CA1031 // Whatever a body does to its redaction: that call is not logged, and others are.
                catch (Exception failed) when (failed is not OperationCanceledException)
#pragma warning restore CA1031
                {
                    telemetry.CallLogDropped();
                    Log.NotKept(logger, one.Record.RequestId, failed);
                }
                finally
                {
                    Interlocked.Add(ref bytesWaiting, -one.Bytes);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped: what still waits is not logged.
        }
    }

#pragma warning disable CA5394 // Nothing secret hangs on which calls are logged.
    private static bool IsDrawn(double share) => share >= 1 || Random.Shared.NextDouble() < share;
#pragma warning restore CA5394

    private async Task WriteAsync(Waiting one, CancellationToken cancellationToken)
    {
        var (record, redaction) = (one.Record, one.Log.Policy.Redaction);
        var bodies = new LoggedBodies(
            one.Log.RequestType is null ? null : one.Log.Request is { } asked ? RedactBody.Of(one.Log.RequestType, asked, redaction) : new LoggedBody(one.Log.RequestType, one.Log.RequestBytes, true, null),
            one.AnswerType is null ? null : one.Answer is { } answered ? RedactBody.Of(one.AnswerType, answered, redaction) : new LoggedBody(one.AnswerType, null, true, null));
        var body = JsonSerializer.SerializeToUtf8Bytes(bodies, Json.Options);
        var bytes = protector.Protect(record.OrganisationId, Bound, record.RequestId, new Answer("application/json", new Dictionary<string, string>(), body));
        await using var write = database.CreateCommand(
            """
            WITH setting AS (
                SELECT days_kept FROM call_logging_settings
                WHERE organisation_id = $1 AND days_kept IS NOT NULL AND (erased_at IS NULL OR erased_at < clock_timestamp() - $12) FOR SHARE)
            INSERT INTO call_logs (organisation_id, call_id, key_id, service, operation, outcome, status_code, end_user, sealed_by, sealed, bytes, admitted_at, expires_at)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $13, clock_timestamp() + make_interval(days => days_kept) FROM setting
            ON CONFLICT DO NOTHING
            """);
        write.Parameters.Add(new() { Value = record.OrganisationId });
        write.Parameters.Add(new() { Value = record.RequestId });
        write.Parameters.Add(new() { Value = record.KeyId });
        write.Parameters.Add(new() { Value = record.Service });
        write.Parameters.Add(new() { Value = record.Operation });
        write.Parameters.Add(new() { Value = Usage.UsageOutcomes.NameOf(record.Outcome) });
        write.Parameters.Add(new() { Value = record.StatusCode });
        write.Parameters.Add(new() { Value = (object?)record.EndUser ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        write.Parameters.Add(new() { Value = protector.KeyId });
        write.Parameters.Add(new() { Value = bytes });
        write.Parameters.Add(new() { Value = bytes.Length });
        write.Parameters.Add(new() { Value = time.GetElapsedTime(one.Since) });
        write.Parameters.Add(new() { Value = record.AdmittedAt });
        await write.ExecuteNonQueryAsync(cancellationToken);
    }

    private sealed record Waiting(CallToLog Log, UsageRecord Record, string? AnswerType, ReadOnlyMemory<byte>? Answer, long Since)
    {
        public long Bytes => (Log.Request?.Length ?? 0) + (Answer?.Length ?? 0);
    }

    private static partial class Log
    {
        [LoggerMessage(5321, LogLevel.Warning, "The call {Call} could not be logged.")]
        public static partial void NotKept(ILogger logger, Guid call, Exception failed);
    }
}
