using System.Buffers.Binary;
using System.Threading.Channels;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>
/// Logs calls of organisations that have switched it on, beside the calls, which never wait for it:
/// <code>
/// admitted ─► drawn? its body copied ─► … settled ─► waits here (a full queue drops it) ─► those that wait, together: redacted, sealed, one INSERT (<see cref="WriteCallLogs"/>)
/// </code>
/// While PostgreSQL is away they wait, and what then finds the queue full is dropped; so is what cannot be written within <see cref="CallLogOptions.StopWithin"/> when the instance stops. All that is
/// dropped is counted, and told.
/// </summary>
internal sealed partial class KeepCallLogs(
    OptedIn<LoggingPolicy> policies, WriteCallLogs writing, TidyCallLogs tidy, ConsumptionTelemetry telemetry, IOptions<CallLogOptions> options, TimeProvider time, ILogger<KeepCallLogs> logger)
    : BackgroundService
{
    private const int MaxTogether = 100;
    private const long MaxBytesTogether = 4 * 1024 * 1024;
    private static readonly TimeSpan UntilTriedAgain = TimeSpan.FromSeconds(1);

    private readonly Channel<EndedCall> waiting = Channel.CreateBounded<EndedCall>(new BoundedChannelOptions(options.Value.MaxWaiting) { SingleReader = true });
    private readonly List<EndedCall> together = new(MaxTogether);
    private int inHand; // Of these, neither written nor given up.
    private long bytesWaiting;
    private long dropped; // Since it was told last.

    /// <summary>Remembers of an admitted call what is needed to log it, if it is to be logged.</summary>
    public void Begin(Call call)
    {
        if (policies.Of(call.Organisation!.Id) is not { } policy || policy.Services?.Contains(call.Plan!.Version.Listing.Name) == false || !IsDrawn(policy.Share, call.Id))
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

        var (type, answer) = call.Refused is { } refused && call.Copy!.Bytes is { Length: 0 } ? ErrorBodies.Whole(call, refused) : (call.Copy!.ContentType, call.Copy.Bytes);
        var one = new EndedCall(log, record, type, answer, time.GetTimestamp());
        if (Interlocked.Add(ref bytesWaiting, one.Bytes) > options.Value.MaxWaitingBytes || !waiting.Writer.TryWrite(one))
        {
            Interlocked.Add(ref bytesWaiting, -one.Bytes);
            Dropped();
        }
    }

    /// <summary>Whether a call belongs to the share that is logged: by the bits of its id (version 7) that are random.</summary>
    internal static bool IsDrawn(double share, Guid call)
    {
        Span<byte> bytes = stackalloc byte[16];
        call.TryWriteBytes(bytes, bigEndian: true, out _);
        return share >= 1 || (BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) & (ulong.MaxValue >> 2)) * Math.Pow(2, -62) < share;
    }

    /// <summary>Calls have ended by now: what still waits is written, and what cannot be is counted.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        waiting.Writer.TryComplete();
        await (ExecuteTask ?? Task.CompletedTask).WaitAsync(options.Value.StopWithin, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await waiting.Reader.WaitToReadAsync(stoppingToken))
            {
                var bytes = Take();
                await WriteAsync([.. together.Select(Seal).OfType<SealedCall>()], stoppingToken);
                together.Clear();
                Interlocked.Add(ref bytesWaiting, -bytes);
                Tell();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
        finally
        {
            waiting.Writer.TryComplete();
            while (inHand > 0 || waiting.Reader.TryRead(out _))
            {
                inHand = Math.Max(0, inHand - 1);
                Dropped();
            }

            Tell();
        }
    }

    private long Take()
    {
        var bytes = 0L;
        while (together.Count < MaxTogether && bytes < MaxBytesTogether && waiting.Reader.TryRead(out var one))
        {
            together.Add(one);
            bytes += one.Bytes;
        }

        inHand = together.Count;
        return bytes;
    }

    private SealedCall? Seal(EndedCall one)
    {
        try
        {
            return writing.Seal(one);
        }
#pragma warning disable CA1031 // Whatever a body does to its redaction: that call is not logged, and others are.
        catch (Exception failed)
#pragma warning restore CA1031
        {
            GiveUp(one.Record.RequestId, failed);
            return null;
        }
    }

    /// <summary>Writes calls, as often as it takes. What is kept from it by nothing but its own content is given up.</summary>
    private async Task WriteAsync(IReadOnlyList<SealedCall> calls, CancellationToken cancellationToken)
    {
        for (var isAway = false; calls.Count > 0;)
        {
            try
            {
                await writing.WriteAsync(calls, cancellationToken);
                inHand -= calls.Count;
                foreach (var organisation in calls.Select(one => one.Record.OrganisationId).Distinct())
                {
                    tidy.Touched(organisation);
                }

                return;
            }
            catch (Exception away) when (away is NpgsqlException { IsTransient: true } or TimeoutException)
            {
                if (!isAway)
                {
                    isAway = true;
                    Log.Away(logger, calls.Count, away);
                }

                await Task.Delay(UntilTriedAgain, time, cancellationToken);
            }
            catch (NpgsqlException refused) when (calls.Count == 1)
            {
                GiveUp(calls[0].Record.RequestId, refused);
                return;
            }
            catch (NpgsqlException)
            {
                foreach (var one in calls)
                {
                    await WriteAsync([one], cancellationToken); // One of them it is.
                }

                return;
            }
        }
    }

    private void GiveUp(Guid call, Exception failed)
    {
        inHand--;
        Dropped();
        Log.NotKept(logger, call, failed);
    }

    private void Dropped()
    {
        telemetry.CallLogDropped();
        Interlocked.Increment(ref dropped);
    }

    private void Tell()
    {
        if (Interlocked.Exchange(ref dropped, 0) is > 0 and var count)
        {
            Log.Dropped(logger, count);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5321, LogLevel.Warning, "The call {Call} could not be logged.")]
        public static partial void NotKept(ILogger logger, Guid call, Exception failed);

        [LoggerMessage(5323, LogLevel.Warning, "{Count} calls cannot be logged now; they wait until PostgreSQL takes them.")]
        public static partial void Away(ILogger logger, int count, Exception away);

        [LoggerMessage(5324, LogLevel.Warning, "{Count} calls were not logged: too many waited, or they could not be written.")]
        public static partial void Dropped(ILogger logger, long count);
    }
}
