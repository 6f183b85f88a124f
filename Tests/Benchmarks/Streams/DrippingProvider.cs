using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>
/// A provider that streams as slowly as it is told to, and notes each attempt that reaches it:
/// <code>
/// POST /control/drip?chunks=N&amp;ms=M   later streams have N chunks, M ms apart; N = 0: until they are ended
/// POST /control/end                    all streams under way send their last events
/// GET  /control/ledger                 the x-request-id of each attempt so far, one a line
/// </code>
/// </summary>
internal static class DrippingProvider
{
    private const string Usage = """{"prompt_tokens":23,"completion_tokens":20,"total_tokens":43}""";

    private static readonly byte[] Chunk = Encoding.UTF8.GetBytes(
        """data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""" + "\n\n");

    private static readonly byte[] Last = Encoding.UTF8.GetBytes(
        $$"""data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":{{Usage}}}""" + "\n\ndata: [DONE]\n\n");

    private static readonly byte[] Whole = Encoding.UTF8.GetBytes(
        $$$"""{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"word"},"finish_reason":"stop"}],"usage":{{{Usage}}}}""");

    public static async Task<int> RunAsync(int port, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        using var tap = new Tap();
        app.Run(http => http.Request.Path.StartsWithSegments("/control", out var order) ? tap.TurnAsync(http, order) : tap.AnswerAsync(http));
        await app.StartAsync(cancellation);
        Console.WriteLine("ready");
        await app.WaitForShutdownAsync(cancellation);
        return 0;
    }

    private sealed class Tap : IDisposable
    {
        private readonly ConcurrentQueue<string> attempts = new();
        private volatile Drip drip = new(20, TimeSpan.Zero);
        private CancellationTokenSource ending = new();

        public async Task TurnAsync(HttpContext http, string? order)
        {
            int Number(string name) => int.Parse(http.Request.Query[name].ToString(), CultureInfo.InvariantCulture);
            switch (order)
            {
                case "/drip":
                    drip = new Drip(Number("chunks"), TimeSpan.FromMilliseconds(Number("ms")));
                    break;
                case "/end":
                    await Interlocked.Exchange(ref ending, new CancellationTokenSource()).CancelAsync();
                    break;
                default:
                    await http.Response.WriteAsync(string.Join('\n', attempts));
                    break;
            }
        }

        public async Task AnswerAsync(HttpContext http)
        {
            attempts.Enqueue(http.Request.Headers["x-request-id"].ToString());
            if (!await IsStreamAsync(http))
            {
                http.Response.ContentType = "application/json";
                http.Response.ContentLength = Whole.Length;
                await http.Response.Body.WriteAsync(Whole);
                return;
            }

            var (chunks, pause, end) = (drip.Chunks, drip.Pause, ending.Token);
            http.Response.ContentType = "text/event-stream";
            for (var chunk = 0; (chunks == 0 || chunk < chunks) && !end.IsCancellationRequested && !http.RequestAborted.IsCancellationRequested; chunk++)
            {
                await http.Response.Body.WriteAsync(Chunk);
                await http.Response.Body.FlushAsync();
                if (pause > TimeSpan.Zero)
                {
                    await Task.Delay(pause, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }

            await http.Response.Body.WriteAsync(Last);
        }

        public void Dispose() => ending.Dispose();

        private static async Task<bool> IsStreamAsync(HttpContext http)
        {
            while (true)
            {
                var read = await http.Request.BodyReader.ReadAsync();
                if (read.IsCompleted)
                {
                    var isStream = read.Buffer.ToArray().AsSpan().IndexOf("\"stream\":true"u8) >= 0;
                    http.Request.BodyReader.AdvanceTo(read.Buffer.End);
                    return isStream;
                }

                http.Request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            }
        }

        private sealed record Drip(int Chunks, TimeSpan Pause);
    }
}
