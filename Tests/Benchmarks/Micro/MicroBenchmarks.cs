using System.Globalization;
using System.Text;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace LlmMarketplace.Benchmarks.Micro;

/// <summary>START HERE. The parts of a call that matter, each by itself, with what it allocates; by BenchmarkDotNet, in this process, so that nothing has to be built anew.</summary>
internal static class MicroBenchmarks
{
    public static async Task<int> RunAsync(string? filter, string? output, CancellationToken cancellation)
    {
        var artifacts = Directory.CreateTempSubdirectory("llm-marketplace-micro").FullName;
        try
        {
            var config = ManualConfig.CreateEmpty()
                .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
                .AddDiagnoser(MemoryDiagnoser.Default)
                .AddColumnProvider(DefaultColumnProviders.Instance)
                .AddLogger(ConsoleLogger.Default)
                .WithArtifactsPath(artifacts);
            var arguments = filter is null ? ["--filter", "*"] : new[] { "--filter", filter };
            var summaries = BenchmarkSwitcher.FromTypes([typeof(RequestParts), typeof(StreamParts), typeof(BookParts)]).Run(arguments, config).ToList();
            var text = Table(summaries);
            Console.WriteLine(text);
            if (output is not null)
            {
                await File.WriteAllTextAsync(output, text, cancellation);
            }

            return summaries.Count > 0 && summaries.All(summary => !summary.HasCriticalValidationErrors && summary.Reports.All(report => report.Success)) ? 0 : 1;
        }
        finally
        {
            Directory.Delete(artifacts, recursive: true);
        }
    }

    private static string Table(IReadOnlyList<Summary> summaries)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Measured with `./bench micro`: {Environment.ProcessorCount} processors, .NET {Environment.Version}.").AppendLine();
        text.AppendLine("| | mean µs | error µs | allocated bytes |");
        text.AppendLine("|---|--:|--:|--:|");
        foreach (var report in summaries.SelectMany(summary => summary.Reports).Where(report => report.ResultStatistics is not null))
        {
            var allocated = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase);
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {report.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo.Trim('\'')}{(report.BenchmarkCase.Parameters.Items is [var only] ? $", {only.Name.ToLowerInvariant()}: {only.Value}" : "")} | {report.ResultStatistics!.Mean / 1000:0.000} | {report.ResultStatistics.ConfidenceInterval.Margin / 1000:0.000} | {allocated} |");
        }

        return text.ToString();
    }
}
