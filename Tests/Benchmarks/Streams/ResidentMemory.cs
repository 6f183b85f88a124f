using System.Globalization;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>Resident memory of one process, by Linux's <c>/proc</c> (proc(5)).</summary>
internal static class ResidentMemory
{
    /// <summary>Megabytes (10⁶ bytes) of the process alone: what it has in memory, files and shared pages included.</summary>
    public static double Of(int process) => Kilobytes(process, "VmRSS:") * 1024 / 1e6;

    /// <summary>The most that it ever had.</summary>
    public static double PeakOf(int process) => Kilobytes(process, "VmHWM:") * 1024 / 1e6;

    private static double Kilobytes(int process, string field) => File.ReadLines($"/proc/{process}/status").Where(line => line.StartsWith(field, StringComparison.Ordinal))
        .Select(line => double.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).Single();
}
