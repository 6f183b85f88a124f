using System.Globalization;
using System.Text;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>Medians and ranges, and ratios to Portkey within the same round.</summary>
internal sealed class Table(IReadOnlyList<Contender> contenders)
{
    private readonly Dictionary<(string Contender, string Workload, int Connections), List<Measured>> all = [];

    public void Add(Contender contender, Workload workload, int connections, Measured measured)
    {
        var key = (contender.Name, workload.Name, connections);
        if (!all.TryGetValue(key, out var list))
        {
            all[key] = list = [];
        }

        list.Add(measured);
    }

    public string Write(BenchmarkOptions options)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Measured with `./bench gateway`: {options.Rounds} rounds of {options.Time.TotalSeconds:0} s, {Environment.ProcessorCount} processors, load and upstream on the same machine. Medians (smallest – largest).");
        foreach (var workload in Workload.All)
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"### {(workload.Streams == true ? $"Streams of {Upstream.Chunks} chunks" : "Plain chat")}").AppendLine();
            text.AppendLine("| | req/s c=1 | c=10 | c=64 | × Portkey, c=10 | p50 ms c=1 | p99 ms c=1 | CPU ms a request, c=10 | c=64 | resident MB | failed |");
            text.AppendLine("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
            foreach (var contender in contenders)
            {
                List<Measured> At(int connections) => all[(contender.Name, workload.Name, connections)];
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"| {contender.Name} | {Range(At(1), m => m.RequestsPerSecond, "0")} | {Range(At(10), m => m.RequestsPerSecond, "0")} | {Range(At(64), m => m.RequestsPerSecond, "0")} | {Ratio(contender, workload)} | {Range(At(1), m => m.P50, "0.00")} | {Range(At(1), m => m.P99, "0.00")} | {(contender.Processes is null ? "–" : Range(At(10), m => m.ProcessorMs, "0.000"))} | {(contender.Processes is null ? "–" : Range(At(64), m => m.ProcessorMs, "0.000"))} | {(contender.Processes is { } processes ? (processes.ResidentBytes / 1_000_000).ToString(CultureInfo.InvariantCulture) : "–")} | {GatewayBenchmark.Connections.Sum(connections => At(connections).Sum(m => m.Failed))} |");
            }
        }

        return text.ToString();
    }

    private string Ratio(Contender contender, Workload workload)
    {
        if (!all.TryGetValue(("Portkey", workload.Name, 10), out var portkey))
        {
            return "–";
        }

        var ratios = all[(contender.Name, workload.Name, 10)].Zip(portkey, (own, other) => own.RequestsPerSecond / other.RequestsPerSecond).Order().ToArray();
        return Median(ratios).ToString("0.0", CultureInfo.InvariantCulture);
    }

    private static string Range(List<Measured> measured, Func<Measured, double> figure, string format)
    {
        var ordered = measured.Select(figure).Order().ToArray();
        string Text(double value) => value.ToString(format, CultureInfo.InvariantCulture);
        return $"{Text(Median(ordered))} ({Text(ordered[0])} – {Text(ordered[^1])})";
    }

    private static double Median(double[] ordered) => (ordered[(ordered.Length - 1) / 2] + ordered[ordered.Length / 2]) / 2;
}
