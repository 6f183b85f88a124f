using System.Diagnostics;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Faults;

/// <param name="Only">Names of cells, such as <c>redis-killed</c>, or of parts; empty: all.</param>
/// <param name="Callers">Callers at once.</param>
/// <param name="Folder">Where to keep data and logs of the processes; null: nowhere.</param>
/// <param name="Output">A file for the table, or null.</param>
internal sealed record FaultOptions(IReadOnlyCollection<string> Only, int Callers, string? Folder, string? Output);

/// <summary>
/// START HERE. One cell after the other, on one running product:
/// <code>
/// callers begin ─► load ─► fault begins ─► lasts ─► ends ─► every gateway answers again ─► callers stop ─► books settle ─► witnesses are compared
/// </code>
/// A cell whose witnesses differ makes the whole fail.
/// </summary>
internal static class FaultMatrix
{
    private const int Load = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public static async Task<int> RunAsync(FaultOptions options, CancellationToken cancellation)
    {
        var cells = Cell.All.Where(cell => options.Only.Count == 0 || options.Only.Contains(cell.Name) || options.Only.Contains(cell.Target.ToString().ToLowerInvariant())).ToList();
        if (cells.Count == 0)
        {
            await Console.Error.WriteLineAsync($"--only takes {string.Join(", ", Cell.All.Select(cell => cell.Name))}.");
            return 2;
        }

        if (Programs.Find("redis-server") is null)
        {
            await Console.Error.WriteLineAsync("redis-server is not installed: start this with ./bench, which installs it.");
            return 2;
        }

        var folder = options.Folder ?? Directory.CreateTempSubdirectory("llm-marketplace-faults").FullName;
        Directory.CreateDirectory(folder);
        var results = new List<(Cell, Tally?)>();
        try
        {
            await using var site = await Site.StartAsync(folder, Console.WriteLine, cancellation);
            using var events = site.ToKafka is { } kafka ? new Events($"127.0.0.1:{kafka.Port}") : null;
            using var consumer = new Consumer(site.Direct, site.BootstrapSecret);
            foreach (var cell in cells)
            {
                var tally = cell.IsPossible ? await RunAsync(cell, site, consumer, events, options.Callers, cancellation) : null;
                results.Add((cell, tally));
                Console.WriteLine(FaultTable.Row(cell, tally));
                foreach (var difference in tally?.Differences ?? [])
                {
                    Console.WriteLine($"    {difference}");
                }
            }
        }
        finally
        {
            if (options.Folder is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        var text = FaultTable.Write(results, options);
        Console.WriteLine();
        Console.WriteLine(text);
        if (options.Output is { } file)
        {
            await File.WriteAllTextAsync(file, text, cancellation);
        }

        return results.Any(result => result.Item2 is { Differences.Count: > 0 }) ? 1 : 0;
    }

    private static async Task<Tally> RunAsync(Cell cell, Site site, Consumer consumer, Events? events, int callers, CancellationToken cancellation)
    {
        var key = await consumer.CreateKeyAsync(cell.Name, cancellation);
        var ledger = Path.Combine(site.Folder, $"{cell.Name}.ledger");
        var providerFrom = Ledger.Read(site.ProviderLedger).Length;
        var intents = new HashSet<Guid>();
        var process = await site.StartCallersAsync(key.Text, ledger, callers);
        await UntilAsync("a load", () => Answered(ledger).All(gateway => gateway >= Load / 2), process, cancellation);

        await cell.BeginAsync(site, process);
        await Task.Delay(cell.Lasts, cancellation);
        if (cell is { Target: Target.Consumption, Fault: Fault.Killed })
        {
            intents.UnionWith(Tally.Intents(site.UsageLogs, key)); // The next life ships what is in it and lets it go.
        }

        await cell.EndAsync(site, process);
        if (cell is { Target: Target.Client, Fault: Fault.Killed })
        {
            await process.DisposeAsync();
            process = await site.StartCallersAsync(key.Text, ledger, callers);
        }

        var before = Answered(ledger);
        await UntilAsync("answers by both gateways after the fault", () => Answered(ledger).Zip(before, (now, then) => now >= then + (Load / 3)).All(enough => enough), process, cancellation);
        await process.StopAsync(ProcessSignal.Terminate, Patience);
        await process.DisposeAsync();

        // The books settle within moments; what has not settled by then is told as it is.
        var settling = Stopwatch.StartNew();
        while (true)
        {
            intents.UnionWith(Tally.Intents(site.UsageLogs, key));
            var seen = Ledger.Read(ledger).Select(Seen.Parse).ToList();
            var tally = await Tally.TakeAsync(site, key, seen, intents, providerFrom, await consumer.StandingAsync(key, cancellation), events, cancellation);
            if (tally.Differences.Count == 0 || settling.Elapsed > Patience / 2)
            {
                return tally;
            }

            await Task.Delay(Look * 5, cancellation);
        }
    }

    /// <summary>Whole answers so far, of each gateway.</summary>
    private static int[] Answered(string ledger)
    {
        var answered = new int[2];
        foreach (var call in Ledger.Read(ledger).Select(Seen.Parse).Where(call => call.Ending == Ending.Whole))
        {
            answered[call.Gateway]++;
        }

        return answered;
    }

    private static async Task UntilAsync(string what, Func<bool> holds, ChildProcess callers, CancellationToken cancellation)
    {
        for (var waited = Stopwatch.StartNew(); !holds(); await Task.Delay(Look, cancellation))
        {
            if (callers.Exited.IsCompleted)
            {
                throw new InvalidOperationException($"The callers ended while waited for {what}: {string.Join('\n', callers.LastLines)}");
            }

            if (waited.Elapsed > Patience)
            {
                throw new TimeoutException($"Waited {Patience.TotalSeconds:0} s for {what}.");
            }
        }
    }
}
