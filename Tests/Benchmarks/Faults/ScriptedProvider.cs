using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>A provider that takes a moment for each token, as models do, produces as many as it may, and notes each call that reached it before anything else: the attempts that a provider saw.</summary>
internal static class ScriptedProvider
{
    private const int Input = 20;
    private static readonly TimeSpan BetweenChunks = TimeSpan.FromMilliseconds(15);

    public static async Task<int> RunAsync(int port, string ledgerFile, CancellationToken cancellation)
    {
        using var ledger = new Ledger(ledgerFile);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        app.Run(http => AnswerAsync(http, ledger));
        await app.StartAsync(cancellation);
        Console.WriteLine("ready");
        await app.WaitForShutdownAsync(cancellation);
        return 0;
    }

    private static async Task AnswerAsync(HttpContext http, Ledger ledger)
    {
        using var body = await JsonDocument.ParseAsync(http.Request.Body, cancellationToken: http.RequestAborted);
        ledger.Write(http.Request.Headers["x-request-id"].ToString());
        try
        {
            var tokens = body.RootElement.GetProperty("max_tokens").GetInt32();
            await (body.RootElement.TryGetProperty("stream", out var stream) && stream.GetBoolean() ? StreamAsync(http, tokens) : WholeAsync(http, tokens));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
    }

    private static string Usage(int output) => $$"""{"prompt_tokens":{{Input}},"completion_tokens":{{output}},"total_tokens":{{Input + output}}}""";

    private static async Task WholeAsync(HttpContext http, int tokens)
    {
        await Task.Delay(BetweenChunks * tokens, http.RequestAborted);
        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(
            $$$"""{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"faults","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."},"finish_reason":"stop"}],"usage":{{{Usage(tokens)}}}}""",
            http.RequestAborted);
    }

    private static async Task StreamAsync(HttpContext http, int tokens)
    {
        http.Response.ContentType = "text/event-stream";
        for (var chunk = 0; chunk < tokens; chunk++)
        {
            await http.Response.WriteAsync(
                """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"faults","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""" + "\n\n",
                http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
            await Task.Delay(BetweenChunks, http.RequestAborted);
        }

        await http.Response.WriteAsync(
            $$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"faults","choices":[],"usage":{{Usage(tokens)}}}""" + "\n\ndata: [DONE]\n\n", http.RequestAborted);
    }
}
