using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Npgsql;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>
/// What the witnesses of a cell say, beside each other. They are independent: callers and provider wrote down what they saw, each admission left an intent in a gateway's usage log,
/// the records stand in PostgreSQL, the counters in Redis, the events in Kafka.
/// </summary>
internal sealed class Tally
{
    private const int MostAttempts = 3;

    /// <summary>Calls that some witness knows to have been admitted.</summary>
    public required int Admitted { get; init; }

    /// <summary>Calls as their callers saw them end.</summary>
    public required IReadOnlyDictionary<Ending, int> Endings { get; init; }

    public required IReadOnlyDictionary<string, int> Outcomes { get; init; }

    public int Records => Outcomes.Values.Sum();

    /// <summary>Attempts that the provider saw.</summary>
    public required int Saw { get; init; }

    /// <summary>Attempts that records list, those left out that never left the gateway.</summary>
    public required int Listed { get; init; }

    /// <summary>Attempts that the provider saw of calls that are lost: their record knows that they were open, not what became of them.</summary>
    public required int OfLost { get; init; }

    /// <summary>Attempts that records list, that had no answer, and that the provider did not see: they died on the way.</summary>
    public required int Unseen { get; init; }

    /// <summary>Events, or null where there is no Kafka.</summary>
    public required int? Events { get; init; }

    /// <summary>Reserved and not given back, in the currency; null when the counters could not be read.</summary>
    public required decimal? Reserved { get; init; }

    public required long OpenCalls { get; init; }

    /// <summary>Where the witnesses differ and must not; empty: they agree.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    public static async Task<Tally> TakeAsync(Site site, CellKey key, IReadOnlyList<Seen> callers, IReadOnlySet<Guid> intents, int providerFrom, Standing? standing, Events? events, CancellationToken cancellation)
    {
        var records = await RecordsAsync(site, key, cancellation);
        var saw = Ledger.Read(site.ProviderLedger).Skip(providerFrom).Select(Guid.Parse).GroupBy(id => id).ToDictionary(calls => calls.Key, calls => calls.Count());
        var vouched = callers.Where(call => call.Ending is Ending.Whole or Ending.Cut).Select(call => call.Id).ToHashSet();
        var admitted = intents.Union(saw.Keys).Union(vouched).ToHashSet();
        var told = events?.CountOf(records.Keys);
        var reserved = standing is null ? (decimal?)null : standing.Spent - records.Values.Sum(record => record.Cost);
        var (listed, unseen, ofLost) = (0, 0, 0);
        var differences = new List<string>();
        void Must(bool holds, string otherwise)
        {
            if (!holds)
            {
                differences.Add(otherwise);
            }
        }

        foreach (var (id, record) in records)
        {
            var (sent, answered, seen) = (record.Attempts.Count(attempt => attempt.IsSent), record.Attempts.Count(attempt => attempt.Status is not null), saw.GetValueOrDefault(id));
            if (record.Outcome == nameof(RequestOutcome.Lost))
            {
                ofLost += seen;
                Must(seen <= MostAttempts && record.Cost == 0, $"the lost call {id} was seen {seen} times by the provider and cost {record.Cost}");
                continue;
            }

            listed += sent;
            unseen += Math.Max(0, sent - seen);
            Must(answered <= seen && seen <= sent, $"of call {id} the provider saw {seen} attempts, and the record lists {sent}, {answered} of them answered");
        }

        var completed = callers.Where(call => call.Ending == Ending.Whole).Select(call => call.Id).ToList();
        Must(!admitted.Except(records.Keys).Any(), $"{admitted.Except(records.Keys).Count()} admitted calls have no record, such as {admitted.Except(records.Keys).FirstOrDefault()}");
        Must(!records.Keys.Except(admitted).Any(), $"{records.Keys.Except(admitted).Count()} records are of calls that nobody admitted");
        Must(!saw.Keys.Union(vouched).Except(intents).Any(), $"{saw.Keys.Union(vouched).Except(intents).Count()} calls were forwarded without an intent in a usage log");
        Must(completed.All(id => records.TryGetValue(id, out var record) && record is { Outcome: nameof(RequestOutcome.Completed), Cost: > 0 }), "a caller has a whole answer that was not charged");
        Must(callers.All(call => call.Ending is Ending.Whole or Ending.Cut or Ending.Broken || !records.TryGetValue(call.Id, out var record) || record is { Outcome: nameof(RequestOutcome.Failed), Cost: 0 }), "a call that was refused or failed was charged");
        Must(saw.Values.Sum() == listed - unseen + ofLost, "attempts do not add up");
        Must(standing is not null, "the counters cannot be read");
        Must(reserved is null or 0, $"{reserved} is reserved and not released");
        Must(standing is null or { OpenCalls: 0 }, $"{standing?.OpenCalls} calls are still open in the counters");
        Must(told is null || told == records.Count, $"{records.Count - told} records have no event");

        return new Tally
        {
            Admitted = admitted.Count,
            Endings = callers.CountBy(call => call.Ending).ToDictionary(),
            Outcomes = records.Values.CountBy(record => record.Outcome).ToDictionary(),
            Saw = saw.Values.Sum(),
            Listed = listed,
            OfLost = ofLost,
            Unseen = unseen,
            Events = told,
            Reserved = reserved,
            OpenCalls = standing?.OpenCalls ?? 0,
            Differences = differences,
        };
    }

    /// <summary>The intents of a key's calls in the usage logs below a folder.</summary>
    public static HashSet<Guid> Intents(IEnumerable<string> folders, CellKey key)
    {
        var intents = new HashSet<Guid>();
        foreach (var log in folders.Where(Directory.Exists).SelectMany(Directory.EnumerateDirectories).Where(folder => Guid.TryParseExact(Path.GetFileName(folder), "N", out _)))
        {
            intents.UnionWith(LogReader.Read(log, []).Where(entry => entry.Kind == EntryKind.Intent).Select(entry => LogEntry.ReadIntent(entry.Payload)).Where(intent => intent.KeyId == key.Id).Select(intent => intent.RequestId));
        }

        return intents;
    }

    private static async Task<Dictionary<Guid, Record>> RecordsAsync(Site site, CellKey key, CancellationToken cancellation)
    {
        await using var database = site.Database();
        await using var select = database.CreateCommand("SELECT request_id, outcome, cost, attempts::text FROM usage_records WHERE key_id = $1");
        select.Parameters.Add(new NpgsqlParameter { Value = key.Id });
        var records = new Dictionary<Guid, Record>();
        await using var row = await select.ExecuteReaderAsync(cancellation);
        while (await row.ReadAsync(cancellation))
        {
            records.Add(row.GetGuid(0), new Record(row.GetString(1), row.GetDecimal(2), JsonSerializer.Deserialize<Attempt[]>(row.GetString(3), JsonSerializerOptions.Web)!));
        }

        return records;
    }

    private sealed record Record(string Outcome, decimal Cost, IReadOnlyList<Attempt> Attempts);
}
