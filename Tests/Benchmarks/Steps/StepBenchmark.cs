using System.Globalization;
using System.Text;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Benchmarks.Steps;

/// <param name="Time">How long the product is driven with each kind of work.</param>
/// <param name="WarmUp">The same, before anything is measured.</param>
/// <param name="Output">A file for the table, or null.</param>
internal sealed record StepOptions(TimeSpan Time, TimeSpan WarmUp, string? Output);

/// <summary>
/// START HERE. What each step of a call costs, in µs of processor time: the product is driven as in <c>./bench gateway</c> while its stacks are sampled; each step gets its part of the processor
/// time that all processes of the product used, divided by the calls.
/// </summary>
internal static class StepBenchmark
{
    private static readonly (Workload Work, int Connections)[] Kinds = [(Workload.All[0], 10), (Workload.All[0], 64), (Workload.All[1], 10), (Workload.All[1], 64)];

    private sealed record Costs(Workload Work, int Connections, Measured Measured, IReadOnlyDictionary<Step, double> Parts);

    public static async Task<int> RunAsync(StepOptions options, CancellationToken cancellation)
    {
        if (Programs.Find("perf") is null)
        {
            await Console.Error.WriteLineAsync("perf is not installed: start this with ./bench, which installs it.");
            return 2;
        }

        var folder = Directory.CreateTempSubdirectory("llm-marketplace-steps").FullName;
        await using var started = new Contenders { NamesFunctions = true };
        var contender = (await started.StartAsync(["marketplace"], Console.WriteLine, cancellation))[^1];
        try
        {
            var costs = new List<Costs>();
            foreach (var work in Workload.All)
            {
                await Load.DriveAsync(contender, work, 10, options.WarmUp, cancellation);
            }

            foreach (var (work, connections) in Kinds)
            {
                Measured? measured = null;
                var parts = await Profile.TakeAsync(contender.Processes!, async () => measured = await Load.DriveAsync(contender, work, connections, options.Time, cancellation), folder, cancellation);
                costs.Add(new Costs(work, connections, measured!, parts));
                Console.WriteLine($"{work.Name,-6} c={connections,-2} {measured!.RequestsPerSecond:0} req/s  {measured.ProcessorMs * 1000:0} µs CPU a call  {measured.Failed} failed");
            }

            var text = Table(costs, options);
            Console.WriteLine();
            Console.WriteLine(text);
            if (options.Output is { } file)
            {
                await File.WriteAllTextAsync(file, text, cancellation);
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            File.Delete($"/tmp/perf-{contender.Processes!.Root}.map"); // Written by the runtime, for perf.
        }
    }

    private static string Table(List<Costs> costs, StepOptions options)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"Measured with `./bench steps --seconds {options.Time.TotalSeconds:0} --warm-up {options.WarmUp.TotalSeconds:0}`: {Environment.ProcessorCount} processors, load and upstream on the same machine. µs of processor time a call.").AppendLine();
        void Row(string name, Func<Costs, double> figure, string mark = "") =>
            text.AppendLine(CultureInfo.InvariantCulture, $"| {mark}{name}{mark} |{string.Concat(costs.Select(cost => string.Create(CultureInfo.InvariantCulture, $" {mark}{figure(cost):0}{mark} |")))}");

        text.AppendLine(CultureInfo.InvariantCulture, $"| |{string.Concat(costs.Select(cost => $" {cost.Work.Name} c={cost.Connections} |"))}");
        text.AppendLine(CultureInfo.InvariantCulture, $"|---|{string.Concat(costs.Select(_ => "--:|"))}");
        foreach (var step in Step.All.Prepend(Step.Postgres).Append(Step.Rest).OrderByDescending(step => costs.Sum(cost => cost.Parts.GetValueOrDefault(step))))
        {
            Row(step.Name, cost => cost.Parts.GetValueOrDefault(step) * cost.Measured.ProcessorMs * 1000);
        }

        Row("all", cost => cost.Measured.ProcessorMs * 1000, "**");
        Row("requests per second", cost => cost.Measured.RequestsPerSecond);
        return text.ToString();
    }
}
