using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Embedded;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Functional;

/// <summary>A provider over real HTTP whose models do what a test says: answer, stream, wait, cut or fail. A model is told by its id.</summary>
public sealed class ScriptedModel : IAsyncDisposable
{
    /// <summary>Endpoint of its listings; only this configuration makes it mean anything.</summary>
    public const string Endpoint = "http://scripted.local/v1";

    /// <summary>An endpoint at which nobody listens.</summary>
    public const string DeadEndpoint = "http://dead.local/v1";

    /// <summary>The organisation that publishes it.</summary>
    public const string Organisation = "scripted";

    public const string ApiKey = "scripted-provider-key";

    private readonly WebApplication app;
    private readonly ConcurrentDictionary<string, RequestDelegate> scripts = new();
    private readonly ConcurrentDictionary<string, RequestDelegate> servers = new();
    private readonly ConcurrentDictionary<string, int> calls = new();

    private ScriptedModel()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.Run(AnswerAsync);
    }

    /// <summary>What the operator of a marketplace sets to know it.</summary>
    public IReadOnlyDictionary<string, string?> Settings => new Dictionary<string, string?>
    {
        ["Providers__Local__scripted__Address"] = app.Urls.First(),
        ["Providers__Local__scripted__Organisation"] = Organisation,
        ["Providers__Local__dead__Address"] = $"http://127.0.0.1:{FreePort.Choose().ToString(CultureInfo.InvariantCulture)}",
        ["Providers__Local__dead__Organisation"] = Organisation,
        ["Sla__Every"] = "00:00:01",
    };

    public static async Task<ScriptedModel> StartAsync()
    {
        var model = new ScriptedModel();
        await model.app.StartAsync();
        return model;
    }

    /// <summary>Decides what a model does from now on.</summary>
    public void Play(string model, RequestDelegate script) => scripts[model] = script;

    /// <summary>Decides what all calls below <c>http://scripted.local/{segment}</c> are answered, whatever protocol they speak.</summary>
    public void Serve(string segment, RequestDelegate server) => servers[segment] = server;

    /// <summary>How many calls of a model have arrived.</summary>
    public int CallsOf(string model) => calls.GetValueOrDefault(model);

    /// <summary>The body of the call that a script answers.</summary>
    public static JsonNode RequestOf(HttpContext context) => (JsonNode)context.Items[nameof(RequestOf)]!;

    /// <summary>A whole chat completion.</summary>
    public static Task CompleteAsync(HttpContext context, string text, int input = 10, int output = 5) =>
        CompleteAsync(context, new { role = "assistant", content = text }, "stop", input, output);

    /// <summary>A chat completion that asks for a tool.</summary>
    public static Task CallToolAsync(HttpContext context, string name, string arguments) => CompleteAsync(
        context,
        new { role = "assistant", content = (string?)null, tool_calls = new[] { new { id = "call_1", type = "function", function = new { name, arguments } } } },
        "tool_calls",
        input: 20,
        output: 8);

    /// <summary>A script that answers each text with a vector of ones.</summary>
    public static RequestDelegate Embedding(int input, int length) => context => context.Response.WriteAsJsonAsync(new
    {
        @object = "list",
        model = "scripted",
        data = RequestOf(context)["input"]!.AsArray().Select((_, index) => new { @object = "embedding", index, embedding = Vector(context, length) }),
        usage = new { prompt_tokens = input, total_tokens = input },
    });

    /// <summary>Begins a stream.</summary>
    public static async Task BeginAsync(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.Body.FlushAsync();
    }

    /// <summary>One piece of a streamed answer.</summary>
    public static async Task SayAsync(HttpContext context, string text)
    {
        var chunk = new { id = "chatcmpl-1", @object = "chat.completion.chunk", created = 1, model = "scripted", choices = new[] { new { index = 0, delta = new { content = text }, finish_reason = (string?)null } } };
        await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(chunk)}\n\n");
        await context.Response.Body.FlushAsync();
    }

    /// <summary>The end of a streamed answer, with its usage.</summary>
    public static async Task EndAsync(HttpContext context, int input, int output)
    {
        var stop = new { id = "chatcmpl-1", @object = "chat.completion.chunk", created = 1, model = "scripted", choices = new[] { new { index = 0, delta = new { }, finish_reason = "stop" } } };
        var usage = new { id = "chatcmpl-1", @object = "chat.completion.chunk", created = 1, model = "scripted", choices = Array.Empty<object>(), usage = new { prompt_tokens = input, completion_tokens = output, total_tokens = input + output } };
        await context.Response.WriteAsync($"data: {JsonSerializer.Serialize(stop)}\n\ndata: {JsonSerializer.Serialize(usage)}\n\ndata: [DONE]\n\n");
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private static Task CompleteAsync(HttpContext context, object message, string finish, int input, int output) => context.Response.WriteAsJsonAsync(new
    {
        id = "chatcmpl-1",
        @object = "chat.completion",
        created = 1,
        model = "scripted",
        choices = new[] { new { index = 0, message, finish_reason = finish } },
        usage = new { prompt_tokens = input, completion_tokens = output, total_tokens = input + output },
    });

    // As the caller asked for it: most clients ask for base64.
    private static object Vector(HttpContext context, int length)
    {
        var vector = Enumerable.Repeat(1f, length).ToArray();
        return (string?)RequestOf(context)["encoding_format"] == "base64" ? Convert.ToBase64String(MemoryMarshal.AsBytes<float>(vector)) : vector;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Headers.Authorization != $"Bearer {ApiKey}" && context.Request.Headers["x-api-key"] != ApiKey && context.Request.Headers["x-goog-api-key"] != ApiKey)
        {
            context.Response.StatusCode = 401;
            return;
        }

        if (servers.TryGetValue(context.Request.Path.Value!.Split('/')[1], out var server))
        {
            await server(context);
            return;
        }

        var body = (await JsonNode.ParseAsync(context.Request.Body))!;
        context.Items[nameof(RequestOf)] = body;
        var model = (string)body["model"]!;
        calls.AddOrUpdate(model, 1, (_, before) => before + 1);
        await (scripts.TryGetValue(model, out var script) ? script(context) : CompleteAsync(context, "Hello."));
    }
}
