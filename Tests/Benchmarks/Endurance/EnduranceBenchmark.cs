using System.Globalization;
using System.Text;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Benchmarks.Streams;

namespace LlmMarketplace.Benchmarks.Endurance;

/// <param name="Minutes">How long.</param>
/// <param name="Connections">Connections that call one after the other.</param>
/// <param name="Output">A file for the table, or null.</param>
internal sealed record EnduranceOptions(int Minutes, int Connections, string? Output);

/// <summary>
/// START HERE. Calls for minutes on end, plain and streamed in turn, and what each minute was like: whether it gets slower, or grows. The first two minutes are its warm-up; it is flat when its
/// last three minutes are like its third to fifth.
/// </summary>
internal static class EnduranceBenchmark
{
    private const int WarmUpMinutes = 2;
    private const int Compared = 3;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private sealed record Minutely(Measured Measured, double ProcessMb, double AllMb);

    public static async Task<int> RunAsync(EnduranceOptions options, CancellationToken cancellation)
    {
        if (options.Minutes < WarmUpMinutes + Compared)
        {
            await Console.Error.WriteLineAsync($"--minutes must be at least {WarmUpMinutes + Compared}: fewer say nothing about how it goes on.");
            return 2;
        }

        await using var started = new Contenders();
        var contender = (await started.StartAsync(["marketplace"], Console.WriteLine, cancellation))[^1];
        var minutes = new List<Minutely>();
        var work = new Workload("both", Streams: null);
        for (var minute = 1; minute <= options.Minutes; minute++)
        {
            var measured = await Load.DriveAsync(contender, work, options.Connections, Minute, cancellation);
            minutes.Add(new Minutely(measured, ResidentMemory.Of(contender.Processes!.Root), contender.Processes.ResidentBytes / 1e6));
            Console.WriteLine($"minute {minute}: {measured.RequestsPerSecond:0} req/s  p50 {measured.P50:0.00} ms  p99 {measured.P99:0.00} ms  {measured.ProcessorMs:0.000} ms CPU  {minutes[^1].ProcessMb:0} MB  {measured.Failed} failed");
        }

        var text = Table(minutes, options);
        Console.WriteLine();
        Console.WriteLine(text);
        if (options.Output is { } file)
        {
            await File.WriteAllTextAsync(file, text, cancellation);
        }

        return minutes.Sum(minute => minute.Measured.Failed) == 0 ? 0 : 1;
    }

    private static string Table(List<Minutely> minutes, EnduranceOptions options)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"Measured with `./bench endurance --minutes {options.Minutes} --connections {options.Connections}`: {Environment.ProcessorCount} processors, load and upstream on the same machine; plain calls and streams of {Upstream.Chunks} chunks in turn.").AppendLine();
        text.AppendLine("| minute | req/s | p50 ms | p99 ms | CPU ms a request | resident MB, the process | with PostgreSQL | failed |");
        text.AppendLine("|--:|--:|--:|--:|--:|--:|--:|--:|");
        foreach (var (index, minute) in minutes.Index())
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {index + 1} | {minute.Measured.RequestsPerSecond:0} | {minute.Measured.P50:0.00} | {minute.Measured.P99:0.00} | {minute.Measured.ProcessorMs:0.000} | {minute.ProcessMb:0} | {minute.AllMb:0} | {minute.Measured.Failed} |");
        }

        var (first, last) = (minutes.Skip(WarmUpMinutes).Take(Compared).ToList(), minutes.TakeLast(Compared).ToList());
        double Ratio(Func<Minutely, double> figure) => last.Average(figure) / first.Average(figure);
        var calls = minutes.Skip(WarmUpMinutes).Sum(minute => minute.Measured.Requests);
        var grown = minutes[^1].ProcessMb - minutes[WarmUpMinutes - 1].ProcessMb;
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture,
            $"The last {Compared} minutes against minutes {WarmUpMinutes + 1}–{WarmUpMinutes + Compared}: requests per second × {Ratio(minute => minute.Measured.RequestsPerSecond):0.00}, CPU a request × {Ratio(minute => minute.Measured.ProcessorMs):0.00}, p99 × {Ratio(minute => minute.Measured.P99):0.00}, memory of the process × {Ratio(minute => minute.ProcessMb):0.00}. After the warm-up of {WarmUpMinutes} minutes the process grew by {grown:0} MB in {calls} calls, {grown * 1e6 / calls:0} bytes a call.");
        return text.ToString();
    }
}
