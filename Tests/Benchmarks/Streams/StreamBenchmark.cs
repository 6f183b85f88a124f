using System.Diagnostics;
using System.Globalization;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Streams;

/// <param name="Streams">Streams held open at once.</param>
/// <param name="Hold">How long they are held, once all are open.</param>
/// <param name="Prompt">Bytes of text in each of their requests, besides the few that are always there.</param>
/// <param name="Calls">Calls of each kind that the first token is measured with.</param>
/// <param name="Only">Names of <see cref="StreamedProduct.Names"/>; empty: all.</param>
/// <param name="Output">A file for the table, or null.</param>
internal sealed record StreamOptions(int Streams, TimeSpan Hold, int Prompt, int Calls, IReadOnlyCollection<string> Only, string? Output);

/// <summary>Streams that ran at once.</summary>
/// <param name="Streams">How many were asked for.</param>
/// <param name="Together">How many of them shared connections, by HTTP/2.</param>
/// <param name="Opened">Until the last one had its first event.</param>
/// <param name="Ended">From the provider's ends until the last one was at its own.</param>
/// <param name="Answers">How they ended.</param>
/// <param name="Books">What the witnesses say, of these and all before.</param>
internal sealed record Wave(int Streams, int Together, TimeSpan Opened, TimeSpan Ended, IReadOnlyList<Answered> Answers, Books Books)
{
    public int Whole => Answers.Count(answer => answer.IsWhole);
}

/// <summary>Resident memory of one process, in megabytes: at rest after a warm-up, with the streams open, and after them.</summary>
internal sealed record Memory(string Process, double Before, double With, double After);

/// <summary>All that was seen of one product.</summary>
internal sealed record StreamResult(StreamedProduct Product, IReadOnlyList<Wave> Concurrent, Wave Held, IReadOnlyList<Memory> Memory, (Times Provider, Times Product) Times);

/// <summary>
/// START HERE. One product after the other, through its public address, with key, budget, quota, rate limits and durable metering on:
/// <code>
/// warm-up ─► 512 streams at once, three times: none lost? ─► memory ─► 10 000 opened, held ─► memory ─► ended: none lost? ─► memory ─► one connection: what is added
/// </code>
/// A stream that is lost, or books that differ, make the whole fail.
/// </summary>
internal static class StreamBenchmark
{
    private const int Concurrent = 512;
    private const int Waves = 3;
    private const int SpareFiles = 1_200; // Listeners, assemblies, PostgreSQL and Redis.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(StreamOptions options, CancellationToken cancellation)
    {
        if (options.Only.Except(StreamedProduct.Names).ToArray() is { Length: > 0 } unknown)
        {
            await Console.Error.WriteLineAsync($"There is no {string.Join(", ", unknown)}: --only takes {string.Join(", ", StreamedProduct.Names)}.");
            return 2;
        }

        // The product opens a file for each caller with a connection of its own, and one to the provider for each stream.
        var alone = Math.Min(options.Streams, OpenFiles() - SpareFiles - options.Streams);
        if (alone < 0)
        {
            await Console.Error.WriteLineAsync($"A process may open {OpenFiles()} files here, too few for {options.Streams} streams: raise the hard limit (ulimit -Hn), or ask for fewer by --streams.");
            return 2;
        }

        var results = new List<StreamResult>();
        foreach (var name in StreamedProduct.Names.Where(name => options.Only.Count == 0 || options.Only.Contains(name)))
        {
            Console.WriteLine($"starting {name}");
            var folder = Directory.CreateTempSubdirectory("llm-marketplace-streams").FullName;
            try
            {
                var port = FreePort.Choose();
                await using var provider = await Programs.StartUntilAsync("ready", TimeSpan.FromMinutes(1), new()
                {
                    FileName = "dotnet",
                    Arguments = [typeof(StreamBenchmark).Assembly.Location, "dripping-provider", "--port", port.ToString(CultureInfo.InvariantCulture)],
                });
                using var tap = new ProviderTap(new Uri($"http://127.0.0.1:{port}/"));
                await using var product = await StreamedProduct.StartAsync(name, folder, tap.Address, cancellation);
                results.Add(await MeasureAsync(product, tap, options, alone, cancellation));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }

        var text = StreamTable.Write(results, options);
        Console.WriteLine();
        Console.WriteLine(text);
        if (options.Output is { } file)
        {
            await File.WriteAllTextAsync(file, text, cancellation);
        }

        return results.SelectMany(result => result.Concurrent.Append(result.Held)).All(wave => wave.Whole == wave.Streams && wave.Books.Differences.Count == 0) ? 0 : 1;
    }

    private static async Task<StreamResult> MeasureAsync(StreamedProduct product, ProviderTap tap, StreamOptions options, int alone, CancellationToken cancellation)
    {
        Console.WriteLine("warming up");
        var contender = new Contender(product.Name, product.Address, null) { Model = product.Model, Keys = [product.WarmUpKey] };
        await Load.DriveAsync(contender, Workload.All[1], 10, WarmUp, cancellation);
        await Task.Delay(Settled, cancellation);

        // What came before is of no key that is looked at.
        await tap.SkipAsync(cancellation);
        var all = new List<Answered>();
        var concurrent = new List<Wave>();
        await tap.DripAsync(40, 50, cancellation);
        for (var wave = 0; wave < Waves; wave++)
        {
            using var streams = new HeldStreams();
            concurrent.Add(await WaveAsync(product, tap, streams, 0, Concurrent, 0, all, () => Task.CompletedTask, cancellation));
        }

        await Task.Delay(Settled, cancellation);
        var before = product.Processes.Select(process => ResidentMemory.Of(process.Id)).ToList();
        var with = before;
        await tap.DripAsync(0, (int)options.Hold.TotalMilliseconds / 4, cancellation);
        using var many = new HeldStreams();
        var held = await WaveAsync(product, tap, many, options.Prompt, alone, options.Streams - alone, all, async () =>
        {
            await Task.Delay(options.Hold, cancellation);
            with = [.. product.Processes.Select(process => ResidentMemory.Of(process.Id))];
            await tap.EndAsync(cancellation);
        }, cancellation);
        await Task.Delay(Settled, cancellation);
        var memory = product.Processes.Select((process, index) => new Memory(process.Name, before[index], with[index], ResidentMemory.Of(process.Id))).ToList();
        foreach (var one in memory)
        {
            Console.WriteLine($"{one.Process}: {one.Before:0} MB at rest, {one.With:0} MB with {options.Streams} streams, {one.After:0} MB after them");
        }

        await tap.DripAsync(20, 0, cancellation);
        var times = await FirstTokens.MeasureAsync(tap.Address, product.Address, product.WarmUpKey, product.Model, options.Calls, cancellation);
        Console.WriteLine($"added to the first token: p50 {Times.Quantile(times.Product.FirstToken, 0.5) - Times.Quantile(times.Provider.FirstToken, 0.5):0.00} ms");
        return new StreamResult(product, concurrent, held, memory, times);
    }

    private static async Task<Wave> WaveAsync(
        StreamedProduct product, ProviderTap tap, HeldStreams streams, int filling, int alone, int together, List<Answered> all, Func<Task> whileOpen, CancellationToken cancellation)
    {
        await streams.OpenAsync(product.Address, [.. product.Consumers.Select(consumer => consumer.Key.Text)], product.Model, filling, alone, together, cancellation);
        Console.WriteLine($"{streams.Begun} of {alone + together} streams have begun after {streams.Opened.TotalSeconds:0.0} s");
        await whileOpen();
        var ending = Stopwatch.StartNew();
        var answers = await streams.EndAsync(Patience);
        ending.Stop();
        all.AddRange(answers);
        var books = await Books.CompareAsync(product.Consumers, all, () => tap.LedgerAsync(cancellation), Patience / 3, cancellation);
        var wave = new Wave(alone + together, together, streams.Opened, ending.Elapsed, answers, books);
        Console.WriteLine($"{wave.Whole} whole, {books.Records} records{string.Concat(books.Differences.Select(difference => $"\n    {difference}"))}");
        return wave;
    }

    private static int OpenFiles()
    {
        var limit = File.ReadLines("/proc/self/limits").Single(line => line.StartsWith("Max open files", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2];
        return int.TryParse(limit, CultureInfo.InvariantCulture, out var most) ? most : int.MaxValue / 2; // Or "unlimited".
    }
}
