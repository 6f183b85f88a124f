using System.Globalization;
using System.Text;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>The results as people read them.</summary>
internal static class StreamTable
{
    public static string Write(IReadOnlyList<StreamResult> results, StreamOptions options)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Measured with `./bench streams --streams {options.Streams} --hold {options.Hold.TotalSeconds:0}{(options.Prompt > 0 ? $" --prompt {options.Prompt}" : "")} --calls {options.Calls}`: {Environment.ProcessorCount} processors, callers and provider on the same machine.");
        text.AppendLine().AppendLine("### Streams at once").AppendLine();
        text.AppendLine("| | streams | of these by HTTP/2 | opened in s | ended in s | whole | records of all so far | books agree |");
        text.AppendLine("|---|--:|--:|--:|--:|--:|--:|---|");
        foreach (var (product, wave) in results.SelectMany(result => result.Concurrent.Append(result.Held).Select(wave => (result.Product, wave))))
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {product.Name} | {wave.Streams} | {wave.Together} | {wave.Opened.TotalSeconds:0.0} | {wave.Ended.TotalSeconds:0.0} | {wave.Whole} | {wave.Books.Records} | {(wave.Books.Differences.Count == 0 ? "yes" : $"**no**: {string.Join("; ", wave.Books.Differences)}")} |");
        }

        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"### Resident memory, MB, {options.Streams} streams open").AppendLine();
        text.AppendLine("| | process | at rest | with the streams | grown by | KB a stream | 10 s after them |");
        text.AppendLine("|---|---|--:|--:|--:|--:|--:|");
        foreach (var (result, memory) in results.SelectMany(result => result.Memory.Select(memory => (result, memory))))
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"| {result.Product.Name} | {memory.Process} | {memory.Before:0} | {memory.With:0} | {memory.With - memory.Before:0} | {(memory.With - memory.Before) * 1000 / result.Held.Streams:0.0} | {memory.After:0} |");
        }

        text.AppendLine().AppendLine("### One connection, ms").AppendLine();
        text.AppendLine("| | | provider alone p50 | p99 | through the product p50 | p99 | added p50 | p99 |");
        text.AppendLine("|---|---|--:|--:|--:|--:|--:|--:|");
        foreach (var result in results)
        {
            Row(text, result, "first token of a stream", times => times.FirstToken);
            Row(text, result, "whole stream of 20 chunks", times => times.Stream);
            Row(text, result, "plain answer", times => times.Plain);
        }

        return text.ToString();
    }

    private static void Row(StringBuilder text, StreamResult result, string what, Func<Times, IReadOnlyCollection<double>> which)
    {
        var (alone, through) = (which(result.Times.Provider), which(result.Times.Product));
        double Added(double part) => Times.Quantile(through, part) - Times.Quantile(alone, part);
        text.AppendLine(CultureInfo.InvariantCulture,
            $"| {result.Product.Name} | {what} | {Times.Quantile(alone, 0.5):0.00} | {Times.Quantile(alone, 0.99):0.00} | {Times.Quantile(through, 0.5):0.00} | {Times.Quantile(through, 0.99):0.00} | {Added(0.5):0.00} | {Added(0.99):0.00} |");
    }
}
