using System.Buffers;
using BenchmarkDotNet.Attributes;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;
using LlmMarketplace.Identity.Contracts;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmMarketplace.Benchmarks.Micro;

/// <summary>What a call leaves in the books.</summary>
#pragma warning disable CA1001 // BenchmarkDotNet ends it by CleanUp, and takes no sealed classes.
public class BookParts
#pragma warning restore CA1001
{
    private static readonly Guid Id = Guid.CreateVersion7();
    private readonly ArrayBufferWriter<byte> payload = new(1024);
    private readonly AdmissionRow intent = new()
    {
        RequestId = Id, InstanceId = Id, OrganisationId = Id, Generation = 1, KeyId = Id, ListingId = Id, VersionId = Id, ProviderOrganisationId = Id, Service = "bench/chat", ServiceVersion = "1.0.0",
        Operation = "chat", Streamed = true, AdmittedAt = DateTimeOffset.UnixEpoch, Day = 19700101, ReservedTokens = 150, ReservedNanos = 200_000, Currency = "USD", MicrosecondsPerToken = 7.5,
    };

    private readonly UsageRecord record = new()
    {
        RequestId = Id, OrganisationId = Id, KeyId = Id, ListingId = Id, VersionId = Id, ProviderOrganisationId = Id, Service = "bench/chat", ServiceVersion = "1.0.0", Operation = "chat",
        Outcome = RequestOutcome.Completed, StatusCode = 200, InputTokens = 23, CachedInputTokens = 0, OutputTokens = 20, UsageCounted = false, Cost = 0.0000412m, Currency = "USD", Nanos = 41_200, Streamed = true,
        AdmittedAt = DateTimeOffset.UnixEpoch, SettledAt = DateTimeOffset.UnixEpoch, LatencyMs = 12.5, FirstByteMs = 3.25, Day = 19700101,
        ProviderUsage = """{"prompt_tokens":23,"completion_tokens":20,"total_tokens":43}""", Attempts = [new Attempt(200, null, 3.2, "default", "default")],
    };

    private readonly List<Release> releases = [];
    private readonly List<(Reservation, long)> asked = [];
    private string folder = "";
    private LogWriter log = null!;

    /// <summary>Admissions and settlements of this many calls travel together.</summary>
    [Params(1, 8)]
    public int Calls { get; set; }

    /// <summary>Opens a log.</summary>
    [GlobalSetup]
    public void SetUp()
    {
        folder = Directory.CreateTempSubdirectory("llm-marketplace-micro-log").FullName;
        log = new LogWriter(folder, Id, 0, new LogSize(64 * 1024 * 1024, 4), NullLogger.Instance);
        var organisation = Account.OfOrganisation(TierLimits.Of(OrganisationTier.Enterprise), null);
        var key = new Account { Field = LimitScripts.FieldOf(Id), Version = 1, RequestsPerMinute = 600, Burst = 600 };
        for (var call = 0; call < Calls; call++)
        {
            var (admitted, settled) = (Guid.CreateVersion7(), Guid.CreateVersion7());
            asked.Add((new Reservation(admitted, Id, Id, organisation, key, 150, 200_000), 1_700_000_000_000_000));
            releases.Add(new Release(settled, key.Field, 43, 41_200));
        }
    }

    /// <summary>Closes it.</summary>
    [GlobalCleanup]
    public void CleanUp()
    {
        log.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Benchmark(Description = "Script's arguments: admissions and settlements (LimitScripts)")]
    public int Pack() => LimitScripts.Arguments(1, releases, asked, []).Length;

    [Benchmark(Description = "Usage log: intents and outcomes, appended; synced beside it (LogEntry, LogWriter)")]
    public long Append()
    {
        for (var call = 0; call < Calls; call++)
        {
            payload.ResetWrittenCount();
            payload.Write(intent);
            log.Append(EntryKind.Intent, payload.WrittenSpan);
            payload.ResetWrittenCount();
            payload.Write(record);
            log.Append(EntryKind.Outcome, payload.WrittenSpan);
        }

        log.SyncSoon();
        log.Release(log.SyncedEnd);
        return log.SyncedSequence;
    }
}
