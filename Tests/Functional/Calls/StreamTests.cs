using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional.Calls;

/// <summary>Streamed chats through the gateway.</summary>
public sealed class StreamTests(SharedMarketplace shared)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Bytes_arrive_as_they_are_sent()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("stream");
        using var seen = new SemaphoreSlim(0);
        model.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            foreach (var word in new[] { "one", "two", "three" })
            {
                await ScriptedModel.SayAsync(context, word);
                await seen.WaitAsync(context.RequestAborted); // Goes on only when the caller has it.
            }

            await ScriptedModel.EndAsync(context, input: 12, output: 3);
        });
        var (_, key) = await market.ConsumerOfAsync(await market.ScriptedModelAsync(name));

        using var answer = await StreamAsync(market, key, $"{ScriptedModel.Organisation}/{name}");
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        foreach (var word in new[] { "one", "two", "three" })
        {
            Assert.Equal(word, await NextWordAsync(reader));
            seen.Release();
        }

        var rest = await reader.ReadToEndAsync(Cancellation);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        var record = await market.RecordAsync(key, answer.Headers.GetValues("x-request-id").Single());
        Assert.Equal(("completed", 12, 3, 0.000042m, true), Read(record));
    }

    [Fact]
    public async Task A_cut_stream_ends_with_an_error_event_and_is_billed_for_what_was_sent()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("cut");
        using var seen = new SemaphoreSlim(0);
        model.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            await ScriptedModel.SayAsync(context, "The answer begins well, ");
            await ScriptedModel.SayAsync(context, "and then");
            await seen.WaitAsync(context.RequestAborted);
            context.Abort();
        });
        var (_, key) = await market.ConsumerOfAsync(await market.ScriptedModelAsync(name));

        using var answer = await StreamAsync(market, key, $"{ScriptedModel.Organisation}/{name}");
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
        Assert.Equal(["The answer begins well, ", "and then"], [await NextWordAsync(reader), await NextWordAsync(reader)]);
        seen.Release();
        var text = await reader.ReadToEndAsync(Cancellation);

        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        var last = JsonNode.Parse(text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[^1]["data: ".Length..])!;
        Assert.Equal("provider_error", (string)last["error"]!["code"]!);
        var record = await market.RecordAsync(key, answer.Headers.GetValues("x-request-id").Single());
        var (outcome, input, output, cost, streamed) = Read(record);
        Assert.Equal(("cut", true, true), (outcome, streamed, (bool)record["usageCounted"]!));
        Assert.True(input > 0 && output > 0, record.ToJsonString());
        Assert.Equal((input * 0.000002m) + (output * 0.000006m), cost);
    }

    [Fact]
    public async Task A_caller_who_leaves_stops_the_provider_and_pays_for_what_was_sent()
    {
        var (market, model) = (await shared.MarketAsync(), await shared.ModelAsync());
        var name = Market.Unique("left");
        var stopped = new TaskCompletionSource();
        model.Play(name, async context =>
        {
            await ScriptedModel.BeginAsync(context);
            context.RequestAborted.Register(stopped.SetResult);
            await ScriptedModel.SayAsync(context, "Something to pay for.");
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        var (_, key) = await market.ConsumerOfAsync(await market.ScriptedModelAsync(name));

        string requestId;
        using (var answer = await StreamAsync(market, key, $"{ScriptedModel.Organisation}/{name}"))
        {
            requestId = answer.Headers.GetValues("x-request-id").Single();
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancellation));
            Assert.Equal("Something to pay for.", await NextWordAsync(reader));
        }

        await stopped.Task.WaitAsync(TimeSpan.FromMinutes(3), Cancellation);
        var record = await market.RecordAsync(key, requestId);
        var (outcome, input, output, cost, _) = Read(record);
        Assert.Equal("abandoned", outcome);
        Assert.True(output > 0);
        Assert.Equal((input * 0.000002m) + (output * 0.000006m), cost);
    }

    private static async Task<HttpResponseMessage> StreamAsync(Market market, Key key, string model)
    {
        var body = new JsonObject { ["model"] = model, ["stream"] = true, ["max_tokens"] = 50, ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "Tell me." }) };
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(market.Address, "v1/chat/completions"));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key.Text);
        request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        var answer = await Answer.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(200, (int)answer.StatusCode);
        return answer;
    }

    private static async Task<string> NextWordAsync(StreamReader reader)
    {
        while (true)
        {
            var line = await reader.ReadLineAsync(Cancellation).AsTask().WaitAsync(TimeSpan.FromMinutes(3), Cancellation) ?? throw new EndOfStreamException();
            if (line.StartsWith("data: {", StringComparison.Ordinal) && (string?)JsonNode.Parse(line["data: ".Length..])!["choices"]?[0]?["delta"]?["content"] is { } word)
            {
                return word;
            }
        }
    }

    private static (string Outcome, int Input, int Output, decimal Cost, bool Streamed) Read(JsonNode record) =>
        ((string)record["outcome"]!, (int)record["inputTokens"]!, (int)record["outputTokens"]!, (decimal)record["cost"]!, (bool)record["streamed"]!);
}
