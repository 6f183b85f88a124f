using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Functional.Clients;

/// <summary>OpenAI's other surfaces, and models that do not answer as they should, as a provider serves them.</summary>
internal sealed class ImprovisedProvider
{
    private readonly ConcurrentDictionary<string, string> responses = new();
    private int flaky;

    /// <summary>All surfaces of OpenAI's but chat.</summary>
    public Task EverythingAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.Split("/v1/")[1];
        return path switch
        {
            "completions" => CompleteAsync(context),
            "embeddings" => EmbedAsync(context),
            "images/generations" => context.Response.WriteAsJsonAsync(new { created = 1, data = new[] { new { b64_json = "AAAA" }, new { b64_json = "BBBB" } } }),
            "audio/transcriptions" => TranscribeAsync(context),
            "audio/translations" => context.Response.WriteAsJsonAsync(new { text = "Hello", usage = new { type = "duration", seconds = 1 } }),
            "audio/speech" => SpeakAsync(context),
            "moderations" => context.Response.WriteAsJsonAsync(new { id = "modr-1", model = "improviser", results = new[] { new { flagged = true, categories = new { }, category_scores = new { } } } }),
            "responses" => RespondAsync(context),
            _ => StoredAsync(context, path.Split('/')),
        };
    }

    /// <summary>Chat that fails, and then works.</summary>
    public Task FlakyAsync(HttpContext context)
    {
        if (Interlocked.Increment(ref flaky) > 1)
        {
            return Improviser.ChatAsync(context);
        }

        context.Response.StatusCode = 500;
        return Task.CompletedTask;
    }

    /// <summary>Chat that never comes to its end: a stream after its first word, a whole answer not even there.</summary>
    public static async Task EndlessAsync(HttpContext context)
    {
        if ((bool?)(await Improviser.ReadAsync(context))["stream"] == true)
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "Hello");
        }

        await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    private static async Task CompleteAsync(HttpContext context)
    {
        var usage = new JsonObject { ["prompt_tokens"] = Improviser.Input, ["completion_tokens"] = Improviser.Output, ["total_tokens"] = Improviser.Input + Improviser.Output };
        var body = await Improviser.ReadAsync(context);
        if ((bool?)body["stream"] != true)
        {
            await context.Response.WriteAsJsonAsync(Completion(" a time", "stop", usage));
            return;
        }

        var last = Completion("", null, usage);
        last["choices"] = new JsonArray();
        JsonObject[] ends = (bool?)body["stream_options"]?["include_usage"] == true ? [last] : [];
        await Improviser.SendAsync(context, [Completion(" a", null, null), Completion(" time", "stop", null), .. ends], named: false);
        await context.Response.WriteAsync("data: [DONE]\n\n");

        JsonObject Completion(string text, string? finish, JsonNode? used) => new()
        {
            ["id"] = "cmpl-1", ["object"] = "text_completion", ["created"] = 1, ["model"] = "improviser",
            ["choices"] = new JsonArray(new JsonObject { ["index"] = 0, ["text"] = text, ["logprobs"] = null, ["finish_reason"] = finish }), ["usage"] = used?.DeepClone(),
        };
    }

    private static async Task EmbedAsync(HttpContext context)
    {
        var body = await Improviser.ReadAsync(context);
        object vector = (string?)body["encoding_format"] == "base64" ? "AACAPwAAAEA=" : new[] { 1f, 2f };
        await context.Response.WriteAsJsonAsync(new
        {
            @object = "list",
            model = "improviser",
            data = body["input"]!.AsArray().Select((_, index) => new { @object = "embedding", index, embedding = vector }),
            usage = new { prompt_tokens = Improviser.Input, total_tokens = Improviser.Input },
        });
    }

    private static async Task TranscribeAsync(HttpContext context)
    {
        var form = await context.Request.ReadFormAsync();
        var text = $"{form.Files[0].FileName}, {form.Files[0].Length} bytes, {form["language"]}";
        if (form["stream"] != "true")
        {
            await context.Response.WriteAsJsonAsync(new { text, usage = new { type = "duration", seconds = 1 } });
            return;
        }

        await Improviser.SendAsync(
            context,
            [
                new() { ["type"] = "transcript.text.delta", ["delta"] = "Hel" },
                new() { ["type"] = "transcript.text.delta", ["delta"] = "lo" },
                new() { ["type"] = "transcript.text.done", ["text"] = "Hello", ["usage"] = new JsonObject { ["type"] = "duration", ["seconds"] = 1 } },
            ],
            named: true);
    }

    private static async Task SpeakAsync(HttpContext context)
    {
        context.Response.ContentType = "audio/mpeg";
        await context.Response.WriteAsync($"{(await Improviser.ReadAsync(context))["input"]}, spoken");
    }

    private async Task RespondAsync(HttpContext context)
    {
        var id = $"resp_{Guid.CreateVersion7():n}";
        responses[id] = Improviser.Hello;
        await Improviser.ResponsesAsync(context, id);
    }

    // responses/{id} and responses/{id}/input_items.
    private async Task StoredAsync(HttpContext context, string[] path)
    {
        if (path[0] != "responses" || !responses.TryGetValue(path[1], out var said))
        {
            context.Response.StatusCode = 404;
            return;
        }

        await context.Response.WriteAsJsonAsync(path.Length > 2
            ? new JsonObject
            {
                ["object"] = "list", ["has_more"] = false, ["first_id"] = "item_0", ["last_id"] = "item_0",
                ["data"] = new JsonArray(new JsonObject { ["id"] = "item_0", ["type"] = "message", ["role"] = "user", ["status"] = "completed", ["content"] = new JsonArray(new JsonObject { ["type"] = "input_text", ["text"] = "Hi" }) }),
            }
            : context.Request.Method == HttpMethods.Delete
                ? new JsonObject { ["id"] = path[1], ["object"] = "response", ["deleted"] = responses.TryRemove(path[1], out _) }
                : Improviser.Response(path[1], "completed", new JsonArray(new JsonObject
                {
                    ["id"] = "item_1", ["type"] = "message", ["role"] = "assistant", ["status"] = "completed", ["content"] = new JsonArray(Improviser.Text(said)),
                })));
    }
}
