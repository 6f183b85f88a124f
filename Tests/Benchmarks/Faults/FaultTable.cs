using System.Globalization;
using System.Text;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>The matrix as people read it.</summary>
internal static class FaultTable
{
    public static string Row(Cell cell, Tally? tally) => tally is null
        ? $"| {cell.Title} | skipped: no Kafka here | | | | | | | | |"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"| {cell.Title} | {Counts(tally.Endings)} | {tally.Admitted} | {tally.Records} | {Counts(tally.Outcomes)} | {tally.Saw} | {tally.Listed}{(tally.Unseen > 0 ? $" − {tally.Unseen}" : "")}{(tally.OfLost > 0 ? $" + {tally.OfLost}" : "")} | {(tally.Reserved is { } reserved ? reserved.ToString("0.#########", CultureInfo.InvariantCulture) : "?")} | {tally.Events?.ToString(CultureInfo.InvariantCulture) ?? "–"} | {(tally.Differences.Count == 0 ? "yes" : "**no**")} |");

    public static string Write(IReadOnlyList<(Cell Cell, Tally? Tally)> results, FaultOptions options)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            # Fault matrix

            ```sh
            ./bench faults --output docs/benchmarks/faults.md
            ```

            Written by that command, with {options.Callers} callers on {Environment.ProcessorCount} processors{(KafkaServer.SkipReason is null ? "" : "; without Kafka, which is not here: events went by the feed")}. It starts the product as processes of their own (identity, publishing, admin, discovery, consumption, two gateways that serve
            `/v1`) with PostgreSQL, Redis and Kafka, a scripted provider and a client, each reached over a network that can be cut. Half of the callers call gateway one, half gateway two, plain and streamed in turn. Each row breaks one part while
            they call: **killed** is `kill -9` and a new start after 5 s (Redis keeps nothing on disk: it comes back empty), **paused** SIGSTOP and SIGCONT, **cut off** a network on which nothing passes and of which nobody is told.
            "Consumption" is gateway one: paused and cut off (from PostgreSQL and Redis) for 15 s, longer than `Metering:LostAfter`, so that others write `lost` for its calls. Then the callers go on until both gateways have answered again, end, and
            the witnesses are compared:

            - *admitted*: calls that left an intent in a gateway's usage log, or that provider or caller can vouch for; each of them must have just one *record*, and nothing else may have any;
            - *provider saw*: attempts in the provider's own ledger; *in records*: attempts that records list and that were sent, − those without an answer that never reached the provider, + those of `lost` calls, whose record cannot know them;
            - *not released*: what the counters hold of the key's budget beyond the cost of its records; must be 0;
            - *events*: calls of which `marketplace.requests` tells; must be as many as records.

            *agree* also says that each caller with a whole answer has a record of a completed call that cost something, that lost calls cost nothing, and that no call was charged whose caller was told an error. The command ends with 1 if any row does not agree.

            | | calls, as callers saw them | admitted | records | of these | provider saw | in records | not released, USD | events | agree |
            |---|---|--:|--:|---|--:|--:|--:|--:|---|
            """);
        foreach (var (cell, tally) in results)
        {
            text.AppendLine(Row(cell, tally));
        }

        foreach (var (cell, tally) in results.Where(result => result.Tally is { Differences.Count: > 0 }))
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"{cell.Title}: {string.Join("; ", tally!.Differences)}.");
        }

        return text.ToString();
    }

    private static string Counts<T>(IReadOnlyDictionary<T, int> counts)
        where T : notnull =>
        string.Join(", ", counts.OrderByDescending(pair => pair.Value).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Value} {pair.Key.ToString()!.ToLowerInvariant()}")));
}
