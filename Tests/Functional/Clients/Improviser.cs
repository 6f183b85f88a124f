using System.Text;
using System.Text.Json.Nodes;
using LlmMarketplace.Consumption.Tests.Platforms;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Functional.Clients;

/// <summary>
/// A model that does what it is asked to, in the protocol that it is asked in: calls the tool that it is offered, says what the tool answered, keeps to the schema that it is given,
/// and says hello otherwise. It always takes 10 tokens and gives 5.
/// </summary>
internal static class Improviser
{
    public const int Input = 10;
    public const int Output = 5;
    public const string Arguments = """{"city":"Bern"}""";
    public const string Structured = """{"city":"Bern","degrees":7}""";
    public const string Hello = "Hello, world.";

    /// <summary>A provider of Chat.</summary>
    public static async Task ChatAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var last = body["messages"]!.AsArray()[^1]!;
        if (IsRefused(last))
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsJsonAsync(new { error = new { message = "I was told to.", type = "invalid_request_error", param = "messages", code = "refused" } });
            return;
        }

        var reply = Reply.To(body["tools"]?[0]?["function"]?["name"], (string?)last["role"] == "tool" ? last["content"] : null, body["response_format"]?["json_schema"]);
        JsonNode Message() => reply.Tool is null
            ? new JsonObject { ["role"] = "assistant", ["content"] = reply.Text }
            : new JsonObject { ["role"] = "assistant", ["content"] = null, ["tool_calls"] = new JsonArray(Call(reply.Tool, Arguments)) };
        var finish = reply.Tool is null ? "stop" : "tool_calls";
        var usage = new JsonObject { ["prompt_tokens"] = Input, ["completion_tokens"] = Output, ["total_tokens"] = Input + Output };
        if ((bool?)body["stream"] != true)
        {
            await context.Response.WriteAsJsonAsync(Completion("chat.completion", new JsonArray(new JsonObject { ["index"] = 0, ["message"] = Message(), ["finish_reason"] = finish }), usage));
            return;
        }

        var (first, second) = reply.Halves();
        await SendAsync(
            context,
            [
                Chunk(new JsonObject { ["role"] = "assistant", ["content"] = reply.Tool is null ? "" : null }),
                Chunk(reply.Tool is null ? new JsonObject { ["content"] = first } : new JsonObject { ["tool_calls"] = new JsonArray(Call(reply.Tool, first)) }),
                Chunk(reply.Tool is null ? new JsonObject { ["content"] = second } : new JsonObject { ["tool_calls"] = new JsonArray(new JsonObject { ["index"] = 0, ["function"] = new JsonObject { ["arguments"] = second } }) }),
                Chunk(new JsonObject(), finish),
                .. (bool?)body["stream_options"]?["include_usage"] == true ? [Completion("chat.completion.chunk", [], usage)] : Array.Empty<JsonObject>(),
            ],
            named: false);
        await context.Response.WriteAsync("data: [DONE]\n\n");

        JsonObject Call(string name, string arguments) => new()
        {
            ["index"] = 0, ["id"] = "call_1", ["type"] = "function", ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments },
        };
        JsonObject Chunk(JsonObject delta, string? why = null) => Completion("chat.completion.chunk", new JsonArray(new JsonObject { ["index"] = 0, ["delta"] = delta, ["finish_reason"] = why }), null);
        JsonObject Completion(string kind, JsonArray choices, JsonObject? used) => new()
        {
            ["id"] = "chatcmpl-1", ["object"] = kind, ["created"] = 1, ["model"] = "improviser", ["choices"] = choices, ["usage"] = used?.DeepClone(),
        };
    }

    /// <summary>A provider of Messages.</summary>
    public static async Task MessagesAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        if (context.Request.Path.Value!.EndsWith("/count_tokens", StringComparison.Ordinal))
        {
            await context.Response.WriteAsJsonAsync(new { input_tokens = 14 });
            return;
        }

        var last = body["messages"]!.AsArray()[^1]!;
        if (IsRefused(last))
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsJsonAsync(new { type = "error", error = new { type = "invalid_request_error", message = "I was told to." } });
            return;
        }

        var result = (last["content"] as JsonArray)?.FirstOrDefault(block => (string?)block!["type"] == "tool_result")?["content"];
        var reply = Reply.To(body["tools"]?[0]?["name"], result is JsonArray parts ? parts[0]!["text"] : result, body["output_config"]?["format"]);
        var stop = reply.Tool is null ? "end_turn" : "tool_use";
        if ((bool?)body["stream"] != true)
        {
            await context.Response.WriteAsJsonAsync(Message([Block(reply.Text, JsonNode.Parse(Arguments))], stop, Output));
            return;
        }

        var (first, second) = reply.Halves();
        await SendAsync(
            context,
            [
                new() { ["type"] = "message_start", ["message"] = Message([], null, 1) },
                new() { ["type"] = "content_block_start", ["index"] = 0, ["content_block"] = Block("", new JsonObject()) },
                new() { ["type"] = "ping" },
                Delta(first),
                Delta(second),
                new() { ["type"] = "content_block_stop", ["index"] = 0 },
                new() { ["type"] = "message_delta", ["delta"] = new JsonObject { ["stop_reason"] = stop, ["stop_sequence"] = null }, ["usage"] = new JsonObject { ["output_tokens"] = Output } },
                new() { ["type"] = "message_stop" },
            ],
            named: true);

        JsonObject Message(JsonArray content, string? reason, int output) => new()
        {
            ["id"] = "msg_1", ["type"] = "message", ["role"] = "assistant", ["model"] = "improviser", ["content"] = content, ["stop_reason"] = reason, ["stop_sequence"] = null,
            ["usage"] = new JsonObject { ["input_tokens"] = Input, ["output_tokens"] = output },
        };
        JsonObject Block(string text, JsonNode? input) => reply.Tool is null
            ? new() { ["type"] = "text", ["text"] = text }
            : new() { ["type"] = "tool_use", ["id"] = "toolu_1", ["name"] = reply.Tool, ["input"] = input };
        JsonObject Delta(string half) => new()
        {
            ["type"] = "content_block_delta", ["index"] = 0,
            ["delta"] = reply.Tool is null ? new JsonObject { ["type"] = "text_delta", ["text"] = half } : new JsonObject { ["type"] = "input_json_delta", ["partial_json"] = half },
        };
    }

    /// <summary>A provider of Gemini.</summary>
    public static async Task GeminiAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var result = body["contents"]!.AsArray()[^1]!["parts"]!.AsArray()[0]!["functionResponse"]?["response"]?["output"];
        var reply = Reply.To(body["tools"]?[0]?["functionDeclarations"]?[0]?["name"], result, body["generationConfig"]?["responseJsonSchema"]);
        JsonObject Part(string text) => reply.Tool is null
            ? new() { ["text"] = text }
            : new() { ["functionCall"] = new JsonObject { ["name"] = reply.Tool, ["args"] = JsonNode.Parse(Arguments) } };
        if (!context.Request.Path.Value!.EndsWith(":streamGenerateContent", StringComparison.Ordinal))
        {
            await context.Response.WriteAsJsonAsync(Candidate(Part(reply.Text), "STOP"));
        }
        else if (reply.Tool is not null)
        {
            await SendAsync(context, [Candidate(Part(""), "STOP")], named: false);
        }
        else
        {
            var (first, second) = reply.Halves();
            await SendAsync(context, [Candidate(Part(first), null), Candidate(Part(second), "STOP")], named: false);
        }

        JsonObject Candidate(JsonObject part, string? finish) => new()
        {
            ["candidates"] = new JsonArray(new JsonObject { ["content"] = new JsonObject { ["role"] = "model", ["parts"] = new JsonArray(part) }, ["finishReason"] = finish, ["index"] = 0 }),
            ["usageMetadata"] = new JsonObject { ["promptTokenCount"] = Input, ["candidatesTokenCount"] = Output, ["totalTokenCount"] = Input + Output },
            ["modelVersion"] = "improviser",
        };
    }

    /// <summary>A provider of Bedrock's Converse.</summary>
    public static async Task ConverseAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var result = body["messages"]!.AsArray()[^1]!["content"]!.AsArray()[0]!["toolResult"]?["content"]?[0]?["text"];
        var schema = body["outputConfig"]?["textFormat"]?["structure"]?["jsonSchema"];
        var reply = Reply.To(body["toolConfig"]?["tools"]?[0]?["toolSpec"]?["name"], result, schema);
        var stop = reply.Tool is null ? "end_turn" : "tool_use";
        var usage = new JsonObject { ["inputTokens"] = Input, ["outputTokens"] = Output, ["totalTokens"] = Input + Output };
        if (!context.Request.Path.Value!.EndsWith("/converse-stream", StringComparison.Ordinal))
        {
            JsonObject block = reply.Tool is null
                ? new() { ["text"] = reply.Text }
                : new() { ["toolUse"] = new JsonObject { ["toolUseId"] = "tooluse_1", ["name"] = reply.Tool, ["input"] = JsonNode.Parse(Arguments) } };
            await context.Response.WriteAsJsonAsync(new JsonObject { ["output"] = new JsonObject { ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = new JsonArray(block) } }, ["stopReason"] = stop, ["usage"] = usage });
            return;
        }

        context.Response.ContentType = "application/vnd.amazon.eventstream";
        var (first, second) = reply.Halves();
        await SendAsync("messageStart", new() { ["role"] = "assistant" });
        if (reply.Tool is not null)
        {
            await SendAsync("contentBlockStart", new() { ["contentBlockIndex"] = 0, ["start"] = new JsonObject { ["toolUse"] = new JsonObject { ["toolUseId"] = "tooluse_1", ["name"] = reply.Tool } } });
        }

        foreach (var half in new[] { first, second })
        {
            await SendAsync("contentBlockDelta", new() { ["contentBlockIndex"] = 0, ["delta"] = reply.Tool is null ? new JsonObject { ["text"] = half } : new JsonObject { ["toolUse"] = new JsonObject { ["input"] = half } } });
        }

        await SendAsync("contentBlockStop", new() { ["contentBlockIndex"] = 0 });
        await SendAsync("messageStop", new() { ["stopReason"] = stop });
        await SendAsync("metadata", new() { ["usage"] = usage });

        async Task SendAsync(string type, JsonObject payload)
        {
            await context.Response.Body.WriteAsync(AmazonFrames.Frame(Encoding.UTF8.GetBytes(payload.ToJsonString()), (":event-type", type), (":content-type", "application/json"), (":message-type", "event")));
            await context.Response.Body.FlushAsync();
        }
    }

    /// <summary>A provider of Responses.</summary>
    public static async Task ResponsesAsync(HttpContext context, string id)
    {
        var body = await ReadAsync(context);
        var last = (body["input"] as JsonArray)?[^1];
        var reply = Reply.To(body["tools"]?[0]?["name"], (string?)last?["type"] == "function_call_output" ? last["output"] : null, (string?)body["text"]?["format"]?["type"] == "json_schema" ? body["text"] : null);
        var (first, second) = reply.Halves();
        if ((bool?)body["stream"] != true)
        {
            await context.Response.WriteAsJsonAsync(Response(id, "completed", [Item("completed", reply.Text)]));
            return;
        }

        var said = reply.Tool is null ? "output_text" : "function_call_arguments";
        await SendAsync(
            context,
            [
                Event("response.created", ("response", Response(id, "in_progress", []))),
                Event("response.in_progress", ("response", Response(id, "in_progress", []))),
                Event("response.output_item.added", ("item", Item("in_progress", null))),
                .. reply.Tool is null ? [Event("response.content_part.added", ("content_index", 0), ("part", Text("")))] : Array.Empty<JsonObject>(),
                Event($"response.{said}.delta", ("content_index", 0), ("delta", first), ("logprobs", new JsonArray())),
                Event($"response.{said}.delta", ("content_index", 0), ("delta", second), ("logprobs", new JsonArray())),
                .. reply.Tool is null
                    ? [Event("response.output_text.done", ("content_index", 0), ("text", reply.Text), ("logprobs", new JsonArray())), Event("response.content_part.done", ("content_index", 0), ("part", Text(reply.Text)))]
                    : new[] { Event("response.function_call_arguments.done", ("name", reply.Tool), ("arguments", Arguments)) },
                Event("response.output_item.done", ("item", Item("completed", reply.Text))),
                Event("response.completed", ("response", Response(id, "completed", [Item("completed", reply.Text)]))),
            ],
            named: true);

        JsonObject Event(string type, params (string Name, JsonNode? Value)[] members)
        {
            var written = new JsonObject { ["type"] = type };
            if (!type.StartsWith("response.c", StringComparison.Ordinal) || type.Contains("part", StringComparison.Ordinal))
            {
                (written["item_id"], written["output_index"]) = ("item_1", 0);
            }

            foreach (var (name, value) in members)
            {
                written[name] = value;
            }

            return written;
        }

        JsonObject Item(string status, string? text) => reply.Tool is null
            ? new() { ["id"] = "item_1", ["type"] = "message", ["role"] = "assistant", ["status"] = status, ["content"] = text is null ? [] : new JsonArray(Text(text)) }
            : new() { ["id"] = "item_1", ["type"] = "function_call", ["call_id"] = "call_1", ["name"] = reply.Tool, ["arguments"] = text is null ? "" : Arguments, ["status"] = status };
    }

    /// <summary>A response as it is stored.</summary>
    public static JsonObject Response(string id, string status, JsonArray output) => new()
    {
        ["id"] = id, ["object"] = "response", ["created_at"] = 1, ["status"] = status, ["error"] = null, ["incomplete_details"] = null, ["instructions"] = null, ["model"] = "improviser", ["output"] = output,
        ["parallel_tool_calls"] = true, ["tool_choice"] = "auto", ["tools"] = new JsonArray(), ["metadata"] = new JsonObject(),
        ["usage"] = status == "in_progress" ? null : new JsonObject
        {
            ["input_tokens"] = Input, ["input_tokens_details"] = new JsonObject { ["cached_tokens"] = 0 },
            ["output_tokens"] = Output, ["output_tokens_details"] = new JsonObject { ["reasoning_tokens"] = 0 }, ["total_tokens"] = Input + Output,
        },
    };

    /// <summary>Text as a part of a response.</summary>
    public static JsonObject Text(string text) => new() { ["type"] = "output_text", ["text"] = text, ["annotations"] = new JsonArray(), ["logprobs"] = new JsonArray() };

    /// <summary>Events one after the other, by their type where the protocol names them.</summary>
    public static async Task SendAsync(HttpContext context, IEnumerable<JsonObject> events, bool named)
    {
        context.Response.ContentType = "text/event-stream";
        foreach (var (number, one) in events.Index())
        {
            if (((string?)one["type"])?.StartsWith("response.", StringComparison.Ordinal) == true)
            {
                one["sequence_number"] = number;
            }

            await context.Response.WriteAsync((named ? $"event: {one["type"]}\n" : "") + $"data: {one.ToJsonString()}\n\n");
            await context.Response.Body.FlushAsync();
        }
    }

    public static async Task<JsonNode> ReadAsync(HttpContext context) => (await JsonNode.ParseAsync(context.Request.Body))!;

    private static bool IsRefused(JsonNode message) => message["content"] is JsonValue text && (string?)text == "Refuse me.";

    /// <summary>What it says, or else the tool that it calls.</summary>
    private sealed record Reply(string Text, string? Tool)
    {
        public static Reply To(JsonNode? tool, JsonNode? result, JsonNode? schema) => (tool, result, schema) switch
        {
            (_, not null, _) => new($"The tool says: {result}", null),
            (not null, _, _) => new("", (string?)tool),
            (_, _, not null) => new(Structured, null),
            _ => new(Hello, null),
        };

        public (string First, string Second) Halves()
        {
            var whole = Tool is null ? Text : Arguments;
            return (whole[..(whole.Length / 2)], whole[(whole.Length / 2)..]);
        }
    }
}
