using System.Text.Json.Nodes;
using LlmMarketplace.Benchmarks.Faults;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>What callers, provider, records and counters say of the same calls, beside each other, as in the fault matrix.</summary>
/// <param name="Records">Records of the keys' calls so far.</param>
/// <param name="Differences">Where the witnesses differ and must not; empty: they agree.</param>
internal sealed record Books(int Records, IReadOnlyList<string> Differences)
{
    /// <summary>Compares until they agree: books settle within moments; what has not settled by then is told as it is.</summary>
    /// <param name="consumers">Who called, each with the key.</param>
    /// <param name="callers">All calls of these keys so far, as their callers saw them.</param>
    /// <param name="ledger">The attempts that the provider saw of them so far.</param>
    /// <param name="patience">How long the books may take.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<Books> CompareAsync(
        IReadOnlyList<(Consumer Consumer, CellKey Key)> consumers, IReadOnlyList<Answered> callers, Func<Task<IReadOnlyList<Guid>>> ledger, TimeSpan patience, CancellationToken cancellation)
    {
        using var within = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        within.CancelAfter(patience);
        while (true)
        {
            var books = await TakeAsync(consumers, callers, await ledger(), cancellation);
            if (books.Differences.Count == 0 || within.IsCancellationRequested)
            {
                return books;
            }

            await Task.Delay(TimeSpan.FromSeconds(1), within.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<Books> TakeAsync(IReadOnlyList<(Consumer Consumer, CellKey Key)> consumers, IReadOnlyList<Answered> callers, IReadOnlyList<Guid> ledger, CancellationToken cancellation)
    {
        var differences = new List<string>();
        void Must(bool holds, string otherwise)
        {
            if (!holds)
            {
                differences.Add(otherwise);
            }
        }

        var records = new List<JsonNode>();
        foreach (var (consumer, key) in consumers)
        {
            var own = await consumer.RecordsAsync(key, cancellation);
            records.AddRange(own);
            var standing = await consumer.StandingAsync(key, cancellation);
            Must(standing is not null, "the counters cannot be read");
            Must(standing is null or { OpenCalls: 0 }, $"{standing?.OpenCalls} calls are still open in the counters");
            var reserved = standing?.Spent - own.Sum(record => (decimal)record["cost"]!);
            Must(reserved is null or 0, $"{reserved} is reserved and not released");
        }

        var byId = records.ToLookup(record => (Guid)record["requestId"]!);
        var saw = ledger.ToHashSet();
        Must(byId.All(same => same.Count() == 1), "a call has more than one record");
        Must(saw.Count == ledger.Count, "the provider saw a call twice");
        Must(byId.Select(same => same.Key).ToHashSet().SetEquals(saw), $"records are of {byId.Count} calls, the provider saw {saw.Count}");
        Must(records.Sum(record => record["attempts"]!.AsArray().Count) == ledger.Count, "attempts do not add up");
        Must(
            callers.Where(call => call.IsWhole).All(call => byId[call.Id].SingleOrDefault() is { } record && (string?)record["outcome"] == "completed" && (decimal)record["cost"]! > 0),
            "a caller has a whole answer that was not charged");
        return new Books(records.Count, differences);
    }
}
