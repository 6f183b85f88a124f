using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Servers;

/// <summary>
/// A real HTTP server in the place of a provider. It does what <see cref="Answer"/> says, and keeps what it was sent. <see cref="ProviderScripts"/> has the
/// common answers: whole, streamed, slow, cut, failed.
/// </summary>
public sealed class ScriptableProvider : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<ReceivedCall> calls = new();
    private readonly ConcurrentDictionary<string, Func<ReceivedCall, Task>> answersBelow = new();
    private readonly ConcurrentDictionary<string, Func<ReceivedCall, Task>> answersBeside = new();

    private ScriptableProvider(string? address)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(address ?? "http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = null);
        app = builder.Build();
        app.Run(HandleAsync);
    }

    /// <summary>Where it listens, for instance <c>http://127.0.0.1:40123</c>.</summary>
    public string Address => app.Urls.First();

    /// <summary>What it does with a call; may be changed at any time.</summary>
    public Func<ReceivedCall, Task> Answer { get; set; } = ProviderScripts.Embedding(promptTokens: 3);

    /// <summary>What it does with calls below <c>/{segment}/</c>, so that tests which share it do not disturb each other.</summary>
    public void AnswerBelow(string segment, Func<ReceivedCall, Task> answer) => answersBelow[segment] = answer;

    /// <summary>What a server beside the provider does with calls below <c>/{segment}/</c>: one that gives tokens, for instance. They are not among <see cref="Calls"/>.</summary>
    public void AnswerBeside(string segment, Func<ReceivedCall, Task> answer) => answersBeside[segment] = answer;

    /// <summary>What it was sent, oldest first.</summary>
    public IReadOnlyList<ReceivedCall> Calls => [.. calls];

    /// <summary>Starts it.</summary>
    /// <param name="address">An address to listen at; a free loopback port unless said.</param>
    public static async Task<ScriptableProvider> StartAsync(string? address = null)
    {
        var provider = new ScriptableProvider(address);
        await provider.app.StartAsync();
        return provider;
    }

    /// <summary>Forgets what it was sent.</summary>
    public void Forget() => calls.Clear();

    /// <summary>Stops it.</summary>
    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var call = new ReceivedCall(http, body.ToArray());
        var segment = call.Path.Split('/')[1];
        if (!answersBeside.TryGetValue(segment, out var answer))
        {
            calls.Enqueue(call);
            answer = answersBelow.GetValueOrDefault(segment, Answer);
        }

        using var left = http.RequestAborted.Register(() => call.LeftSource.TrySetResult());
        try
        {
            await answer(call);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            call.LeftSource.TrySetResult(); // The registration above may be gone before its turn came.
        }
    }
}

/// <summary>A call that a provider received.</summary>
public sealed class ReceivedCall
{
    internal ReceivedCall(HttpContext http, byte[] bytes)
    {
        Http = http;
        Bytes = bytes;
        Body = Encoding.UTF8.GetString(bytes);
        Path = http.Request.Path;
        Query = http.Request.QueryString.Value ?? "";
        Headers = http.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>For scripts: only while the call is being answered.</summary>
    public HttpContext Http { get; }

    /// <summary>Its path.</summary>
    public string Path { get; }

    /// <summary>Its query with the question mark; empty when there is none.</summary>
    public string Query { get; }

    /// <summary>Its headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Its body.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Its body as text.</summary>
    public string Body { get; }

    /// <summary>Ends when the marketplace hung up before the answer was whole.</summary>
    public Task Left => LeftSource.Task;

    internal TaskCompletionSource LeftSource { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>What a provider can do.</summary>
public static class ProviderScripts
{
    /// <summary>An answer with this status and JSON.</summary>
    public static Func<ReceivedCall, Task> Json(int status, string json, params (string Name, string Value)[] headers) => async call =>
    {
        call.Http.Response.StatusCode = status;
        call.Http.Response.ContentType = "application/json";
        foreach (var (name, value) in headers)
        {
            call.Http.Response.Headers[name] = value;
        }

        await call.Http.Response.WriteAsync(json, call.Http.RequestAborted);
    };

    /// <summary>An error in OpenAI's shape.</summary>
    public static Func<ReceivedCall, Task> Fail(int status, params (string Name, string Value)[] headers) =>
        Json(status, """{"error":{"message":"scripted failure","type":"server_error","param":null,"code":"scripted"}}""", headers);

    /// <summary>One embedding.</summary>
    public static Func<ReceivedCall, Task> Embedding(int promptTokens) => Json(
        200,
        $$$"""{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.25,-0.5,1]}],"model":"scripted","usage":{"prompt_tokens":{{{promptTokens}}},"total_tokens":{{{promptTokens}}}}}""");

    /// <summary>A whole chat answer.</summary>
    public static Func<ReceivedCall, Task> Chat(string text, int promptTokens, int completionTokens, int cachedTokens = 0) => Json(
        200,
        $$$"""
        {"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"scripted","choices":[{"index":0,"message":{"role":"assistant","content":"{{{text}}}"},"finish_reason":"stop"}],
         "usage":{"prompt_tokens":{{{promptTokens}}},"completion_tokens":{{{completionTokens}}},"total_tokens":{{{promptTokens + completionTokens}}},"prompt_tokens_details":{"cached_tokens":{{{cachedTokens}}} } } }
        """);

    /// <summary>A stream of these pieces, then (when the call asks for it) the usage chunk, then <c>[DONE]</c>.</summary>
    public static Func<ReceivedCall, Task> Stream(IEnumerable<string> pieces, int promptTokens, int completionTokens) => async call =>
    {
        await BeginStreamAsync(call);
        foreach (var piece in pieces)
        {
            await SendAsync(call, Chunk(piece));
        }

        if (call.Body.Contains("\"include_usage\":true", StringComparison.Ordinal))
        {
            await SendAsync(call, UsageChunk(promptTokens, completionTokens));
        }

        await SendAsync(call, "data: [DONE]\n\n");
    };

    /// <summary>Waits for <paramref name="gate"/>, then does something else.</summary>
    public static Func<ReceivedCall, Task> After(Task gate, Func<ReceivedCall, Task> then) => async call =>
    {
        await gate.WaitAsync(call.Http.RequestAborted);
        await then(call);
    };

    /// <summary>These answers one after the other; the last one for all that follow.</summary>
    public static Func<ReceivedCall, Task> OneByOne(params Func<ReceivedCall, Task>[] answers)
    {
        var next = -1;
        return call => answers[Math.Min(Interlocked.Increment(ref next), answers.Length - 1)](call);
    }

    /// <summary>Headers of a stream.</summary>
    public static async Task BeginStreamAsync(ReceivedCall call)
    {
        call.Http.Response.ContentType = "text/event-stream";
        await call.Http.Response.StartAsync(call.Http.RequestAborted);
    }

    /// <summary>Sends text at once.</summary>
    public static async Task SendAsync(ReceivedCall call, string text)
    {
        await call.Http.Response.WriteAsync(text, call.Http.RequestAborted);
        await call.Http.Response.Body.FlushAsync(call.Http.RequestAborted);
    }

    /// <summary>Breaks the connection off.</summary>
    public static Task Cut(ReceivedCall call)
    {
        call.Http.Abort();
        return Task.CompletedTask;
    }

    /// <summary>A chunk of text as an event.</summary>
    public static string Chunk(string text) =>
        $$$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[{"index":0,"delta":{"content":"{{{text}}}"},"finish_reason":null}]}""" + "\n\n";

    /// <summary>The chunk that carries only usage.</summary>
    public static string UsageChunk(int promptTokens, int completionTokens) =>
        string.Create(CultureInfo.InvariantCulture, $$$"""data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"scripted","choices":[],"usage":{"prompt_tokens":{{{promptTokens}}},"completion_tokens":{{{completionTokens}}},"total_tokens":{{{promptTokens + completionTokens}}}}}""") + "\n\n";
}
