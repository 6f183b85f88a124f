using System.Text.Json;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>What a contender is asked.</summary>
/// <param name="Name">Plain or streamed.</param>
/// <param name="Streams">Whether answers are streamed; null: every other one.</param>
internal sealed record Workload(string Name, bool? Streams)
{
    public static Workload[] All { get; } = [new("plain", false), new("stream", true)];

    /// <summary>The bodies to send in turn, one a line.</summary>
    public string Bodies(string model) => Streams is { } streams ? Body(model, streams) : $"{Body(model, false)}\n{Body(model, true)}";

    private static string Body(string model, bool streams) =>
        $$"""{"model":"{{model}}",{{(streams ? "\"stream\":true," : "")}}"max_tokens":100,"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Say something in twenty words."}]}""";
}

/// <summary>What came of driving one contender for a while.</summary>
/// <param name="Requests">Requests answered.</param>
/// <param name="RequestsPerSecond">Of those, by the second.</param>
/// <param name="P50">Milliseconds.</param>
/// <param name="P99">Milliseconds.</param>
/// <param name="Failed">Answers that were no success, and connections that broke.</param>
/// <param name="ProcessorMs">Milliseconds of processor time for each request, over all processes of the contender.</param>
internal sealed record Measured(long Requests, double RequestsPerSecond, double P50, double P99, long Failed, double ProcessorMs);

/// <summary>Drives a contender with wrk, which nobody here wrote.</summary>
internal static class Load
{
    public static async Task<Measured> DriveAsync(Contender contender, Workload workload, int connections, TimeSpan time, CancellationToken cancellation)
    {
        var before = contender.Processes?.ProcessorTime ?? TimeSpan.Zero;
        var (code, output) = await ChildProcess.RunAsync(
            new()
            {
                FileName = "wrk",
                Arguments = ["-t1", $"-c{connections}", $"-d{(int)time.TotalSeconds}s", "--timeout", "30s", "-s", Path.Combine(AppContext.BaseDirectory, "Gateway", "load.lua"), contender.Address.AbsoluteUri],
                Environment = new Dictionary<string, string?>
                {
                    ["LOAD_PATH"] = "/v1/chat/completions",
                    ["LOAD_BODIES"] = workload.Bodies(contender.Model),
                    ["LOAD_HEADERS"] = string.Join('\n', contender.Headers.Select(header => $"{header.Key}: {header.Value}")),
                    ["LOAD_KEYS"] = string.Join('\n', contender.Keys),
                },
            },
            cancellation);
        var after = contender.Processes?.ProcessorTime ?? TimeSpan.Zero;
        var line = output.Split('\n').LastOrDefault(line => line.StartsWith('{')) ?? throw new InvalidOperationException($"wrk ended with {code} and said:\n{output}");
        var said = JsonElement.Parse(line);
        var requests = said.GetProperty("requests").GetInt64();
        return new Measured(
            requests,
            requests / (said.GetProperty("microseconds").GetDouble() / 1e6),
            said.GetProperty("p50").GetDouble() / 1000,
            said.GetProperty("p99").GetDouble() / 1000,
            said.GetProperty("refused").GetInt64() + said.GetProperty("broken").GetInt64(),
            requests == 0 ? 0 : (after - before).TotalMilliseconds / requests);
    }
}
