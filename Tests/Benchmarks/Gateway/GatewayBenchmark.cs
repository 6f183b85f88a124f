namespace LlmMarketplace.Benchmarks.Gateway;

/// <param name="Time">How long each contender is driven at each number of connections.</param>
/// <param name="WarmUp">How long each contender is driven with each kind of work before anything is measured.</param>
/// <param name="Rounds">Rounds over all contenders.</param>
/// <param name="Only">Names of contenders; empty: all.</param>
/// <param name="Output">A file for the table, or null.</param>
internal sealed record BenchmarkOptions(TimeSpan Time, TimeSpan WarmUp, int Rounds, IReadOnlyCollection<string> Only, string? Output);

/// <summary>
/// START HERE. All contenders run from beginning to end; each round drives one after the other with the same work, so that whatever else the machine does hurts all alike.
/// A contender that answers anything but success has its failures shown beside its figures.
/// </summary>
internal static class GatewayBenchmark
{
    public static int[] Connections { get; } = [1, 10, 64];

    public static async Task<int> RunAsync(BenchmarkOptions options, CancellationToken cancellation)
    {
        if (options.Only.Except(Contenders.Names).ToArray() is { Length: > 0 } unknown)
        {
            await Console.Error.WriteLineAsync($"There is no {string.Join(", ", unknown)}: --only takes {string.Join(", ", Contenders.Names)}.");
            return 2;
        }

        await using var started = new Contenders();
        var contenders = await started.StartAsync(options.Only, Console.WriteLine, cancellation);
        var table = new Table(contenders);
        foreach (var contender in contenders)
        {
            foreach (var workload in Workload.All)
            {
                await Load.DriveAsync(contender, workload, 10, options.WarmUp, cancellation); // Connected, and compiled as it will stay.
            }
        }

        for (var round = 1; round <= options.Rounds; round++)
        {
            foreach (var workload in Workload.All)
            {
                foreach (var connections in Connections)
                {
                    foreach (var contender in contenders)
                    {
                        var measured = await Load.DriveAsync(contender, workload, connections, options.Time, cancellation);
                        table.Add(contender, workload, connections, measured);
                        Console.WriteLine(
                            $"round {round} {workload.Name,-6} c={connections,-2} {contender.Name,-20} {measured.RequestsPerSecond,9:0} req/s  p50 {measured.P50,7:0.00} ms  p99 {measured.P99,7:0.00} ms  {measured.ProcessorMs,6:0.000} ms CPU  {measured.Failed} failed");
                    }
                }
            }
        }

        var text = table.Write(options);
        Console.WriteLine();
        Console.WriteLine(text);
        if (options.Output is { } file)
        {
            await File.WriteAllTextAsync(file, text, cancellation);
        }

        return 0;
    }
}
