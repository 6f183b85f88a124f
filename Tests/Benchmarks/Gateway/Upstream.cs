using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>A provider that costs as little as may be: it reads the request and sends bytes that were made beforehand.</summary>
internal static class Upstream
{
    public const int Chunks = 20;

    private const string Usage = """{"prompt_tokens":23,"completion_tokens":20,"total_tokens":43}""";

    private static readonly byte[] Whole = Encoding.UTF8.GetBytes(
        $$$"""{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"{{{string.Concat(Enumerable.Repeat("word ", Chunks))}}}"},"finish_reason":"stop"}],"usage":{{{Usage}}}}""");

    private static readonly byte[] Chunk = Encoding.UTF8.GetBytes(
        """data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}""" + "\n\n");

    private static readonly byte[] UsageChunk = Encoding.UTF8.GetBytes(
        $$"""data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":[],"usage":{{Usage}}}""" + "\n\n");

    private static readonly byte[] Done = "data: [DONE]\n\n"u8.ToArray();

    public static async Task<int> RunAsync(int port, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync(cancellation);
        Console.WriteLine("ready");
        await app.WaitForShutdownAsync(cancellation);
        return 0;
    }

    private static async Task AnswerAsync(HttpContext http)
    {
        var stream = false;
        while (true)
        {
            var read = await http.Request.BodyReader.ReadAsync();
            if (read.IsCompleted)
            {
                foreach (var part in read.Buffer)
                {
                    stream |= part.Span.IndexOf("\"stream\":true"u8) >= 0;
                }

                http.Request.BodyReader.AdvanceTo(read.Buffer.End);
                break;
            }

            http.Request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }

        if (!stream)
        {
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = Whole.Length;
            await http.Response.Body.WriteAsync(Whole);
            return;
        }

        http.Response.ContentType = "text/event-stream";
        for (var chunk = 0; chunk < Chunks; chunk++)
        {
            await http.Response.Body.WriteAsync(Chunk);
            await http.Response.Body.FlushAsync();
        }

        await http.Response.Body.WriteAsync(UsageChunk);
        await http.Response.Body.WriteAsync(Done);
    }
}
