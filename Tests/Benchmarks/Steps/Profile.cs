using System.Globalization;
using LlmMarketplace.Benchmarks.Gateway;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Benchmarks.Steps;

/// <summary>Samples of all processes of the product, by Linux's <c>perf</c>, each counted for one <see cref="Step"/>.</summary>
internal static class Profile
{
    private const int SamplesPerSecond = 497; // No divisor of anything that ticks.

    /// <summary>Takes samples until <paramref name="load"/> ends; gives each step's part of them, which together are 1.</summary>
    public static async Task<IReadOnlyDictionary<Step, double>> TakeAsync(ProcessTree processes, Func<Task> load, string folder, CancellationToken cancellation)
    {
        var file = Path.Combine(folder, "perf.data");
        await using var perf = await ChildProcess.StartAsync(new()
        {
            FileName = "perf",
            Arguments = ["record", "-F", Text(SamplesPerSecond), "-g", "-o", file, "-p", string.Join(',', processes.Members().Select(Text))],
        });
        await load();
        if (perf.Exited.IsCompleted)
        {
            throw new InvalidOperationException($"perf ended by itself: {string.Join('\n', perf.LastLines)}");
        }

        perf.Send(ProcessSignal.Interrupt);
        await perf.Exited.WaitAsync(cancellation);

        var samples = new Samples(processes.Root);
        await using var script = await ChildProcess.StartAsync(new() { FileName = "perf", Arguments = ["script", "-i", file, "-F", "comm,pid,ip,sym,dso"], OnLine = samples.Take });
        await script.Exited.WaitAsync(cancellation);
        File.Delete(file);
        return samples.Parts();
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// Reads what <c>perf script</c> writes:
    /// <code>
    /// .NET TP Worker  4711
    ///         7f0123456789 function (file)      the innermost frame
    ///         …
    /// (an empty line)
    /// </code>
    /// </summary>
    private sealed class Samples(int root)
    {
        private readonly Dictionary<Step, int> counts = [];
        private bool isSample;
        private Step? step;

        public void Take(string line)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                End();
            }
            else if (!char.IsWhiteSpace(line[0]))
            {
                End();
                var process = line.Trim().Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1];
                (isSample, step) = (true, process == Text(root) ? null : Step.Postgres);
            }
            else
            {
                step ??= Step.All.FirstOrDefault(known => known.Knows(line));
            }
        }

        public Dictionary<Step, double> Parts()
        {
            End();
            var all = counts.Values.Sum();
            return counts.ToDictionary(count => count.Key, count => (double)count.Value / all);
        }

        private void End()
        {
            if (isSample)
            {
                counts[step ?? Step.Rest] = counts.GetValueOrDefault(step ?? Step.Rest) + 1;
            }

            isSample = false;
        }
    }
}
