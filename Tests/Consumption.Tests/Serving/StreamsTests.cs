using System.Net;
using System.Text.Json;
using System.Text;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>Streamed chats.</summary>
public sealed class StreamsTests(Marketplace marketplace)
{
    private const string Done = "data: [DONE]\n\n";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_stream_passes_byte_for_byte_and_its_usage_chunk_stays_out_unless_asked_for()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Stream(["Hel", "lo ✓"], 5, 2), Prices.PerMillionTokens(1m, 10m));

        using var answer = await shop.StreamAsync();

        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal(ProviderScripts.Chunk("Hel") + ProviderScripts.Chunk("lo ✓") + Done, await answer.Content.ReadAsStringAsync());
        Assert.Contains("\"stream_options\":{\"include_usage\":true}", Assert.Single(shop.Seen).Body, StringComparison.Ordinal);
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("completed", true, false), (record.Text("outcome"), record.GetProperty("streamed").GetBoolean(), record.GetProperty("usageCounted").GetBoolean()));
        Assert.Equal(0.000025m, record.GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task A_chunk_without_choices_and_usage_reaches_callers_who_did_not_ask_for_usage()
    {
        const string filter = """data: {"choices":[],"usage":null,"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}""" + "\n\n";
        var rest = ProviderScripts.Chunk("Hello") + Done;
        using var shop = await Shop.OpenAsync(marketplace, SurfaceMarket.Streaming(filter + rest));

        using var answer = await shop.StreamAsync();

        Assert.Equal(filter + rest, await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("\"stream_options\":{\"include_usage\":true}", true)]
    [InlineData("\"stream_options\":{\"include_usage\":false}", false)]
    [InlineData("\"stream_options\":{\"other\":1}", false)]
    [InlineData("\"stream_options\":{}", false)]
    [InlineData("\"stream_options\":null", false)]
    public async Task Who_asks_for_usage_gets_it(string options, bool gets)
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Stream(["Hello"], 5, 2));

        using var answer = await shop.StreamAsync($"{Shop.Hello},{options}");

        Assert.Equal(ProviderScripts.Chunk("Hello") + (gets ? ProviderScripts.UsageChunk(5, 2) : "") + Done, await answer.Content.ReadAsStringAsync());
        Assert.Equal(5, (await shop.RecordAsync(answer)).GetProperty("inputTokens").GetInt64());
    }

    [Fact]
    public async Task An_event_arrives_as_soon_as_it_is_sent()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("first"));
            await gate.Task.WaitAsync(call.Http.RequestAborted);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("second") + Done);
        });

        using var answer = await shop.StreamAsync();
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());

        Assert.Contains("first", await reader.ReadLineAsync().WaitAsync(Patience), StringComparison.Ordinal);
        gate.SetResult();
        Assert.Contains("second", await reader.ReadToEndAsync().WaitAsync(Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_line_ends_comments_and_events_cut_anywhere_pass_byte_for_byte()
    {
        var text = ": keep-alive\n\n" + ProviderScripts.Chunk("one ✓").Replace("\n", "\r\n", StringComparison.Ordinal) + ": keep-alive\r\n\r\nid: 7\nevent: x\n" + ProviderScripts.Chunk("two") + Done;
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            foreach (var piece in Encoding.UTF8.GetBytes(text).Chunk(7))
            {
                await call.Http.Response.Body.WriteAsync(piece, call.Http.RequestAborted);
                await call.Http.Response.Body.FlushAsync(call.Http.RequestAborted);
            }
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal(text[": keep-alive\n\n".Length..], await answer.Content.ReadAsStringAsync());
        Assert.Equal("completed", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Theory]
    [InlineData("12345678")]
    [InlineData("\\u00e9\\u20ac\\n\\\"3")] // As long, once it is read.
    public async Task A_cut_stream_ends_with_an_error_event_and_is_billed_for_what_was_sent(string said)
    {
        var (script, arrived) = SurfaceMarket.CutAfter(ProviderScripts.Chunk(said));
        using var shop = await Shop.OpenAsync(marketplace, script, Prices.PerMillionTokens(0m, 10m));

        var (text, answer) = await ReadAsync(shop, arrived);

        Assert.StartsWith(ProviderScripts.Chunk(said), text, StringComparison.Ordinal);
        AssertEndsWithError(text, "provider_error");
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("cut", 200, true, 2), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("outputTokens").GetInt64()));
        Assert.Equal(0.00002m, record.GetProperty("cost").GetDecimal());
    }

    [Theory]
    [InlineData("", "cut", 0)]
    [InlineData("data: {\"error\":{\"message\":\"scripted\"}}\n\n", "cut", 0)]
    [InlineData("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0}}\n\n", "cut", 0.01)]
    [InlineData("data: [DONE]\n\n", "completed", 0.01)]
    public async Task A_stream_that_breaks_off_before_it_said_anything_costs_nothing(string rest, string outcome, decimal cost)
    {
        using var shop = await Shop.OpenAsync(marketplace, SurfaceMarket.Streaming("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n" + rest), Prices.PerRequest(0.01m));

        using var answer = await shop.StreamAsync();

        var record = await shop.RecordAsync(answer);
        Assert.Equal((outcome, cost), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Theory]
    [InlineData("")] // A clean end without [DONE] is no end either.
    [InlineData("data: {\"choices\":[{\"delta\":\n\n")] // Half a chunk.
    [InlineData("data: [1]\n\n")] // JSON, but no chunk.
    [InlineData("data: {\"choices\":[{\"delta\":{\"content\":\"half an event\"}}]}\n")] // Its empty line is missing.
    public async Task A_stream_that_ends_without_its_last_event_was_cut(string rest)
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678") + rest);
        });

        using var answer = await shop.StreamAsync();
        var text = await answer.Content.ReadAsStringAsync();

        Assert.DoesNotContain("half", text, StringComparison.Ordinal);
        AssertEndsWithError(text, "provider_error");
        Assert.Equal(("cut", 2), ((await shop.RecordAsync(answer)).Text("outcome"), (await shop.RecordAsync(answer)).GetProperty("outputTokens").GetInt64()));
    }

    [Fact]
    public async Task A_stream_that_falls_silent_ends_with_an_error_event_and_the_provider_is_hung_up_on()
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            timeoutMs: 3_000);

        using var answer = await shop.StreamAsync();

        AssertEndsWithError(await answer.Content.ReadAsStringAsync(), "provider_idle_timeout");
        Assert.Equal("cut", (await shop.RecordAsync(answer)).Text("outcome"));
        await shop.Seen[0].Left.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_providers_error_event_is_the_streams_last_event()
    {
        const string error = "data: {\"error\":{\"message\":\"scripted\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n";
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678") + error + Done);
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal(ProviderScripts.Chunk("12345678") + error, await answer.Content.ReadAsStringAsync());
        Assert.Equal("cut", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Theory]
    [InlineData("", "provider_error")]
    [InlineData(": keep-alive\n\n", "provider_error")]
    [InlineData("data: {\"error\":{\"message\":\"scripted\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n", "provider_error")]
    [InlineData("data: nonsense\n\n", "provider_error")]
    public async Task A_stream_that_fails_before_it_produced_anything_is_a_failed_call(string sent, string code)
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, sent);
        });

        using var answer = await shop.StreamAsync();

        Assert.Equal((502, code), ((int)answer.StatusCode, (await answer.ErrorAsync()).Code));
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 502, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Theory]
    [InlineData(true, "provider_error")]
    [InlineData(false, "provider_error")]
    public async Task A_line_without_end_does_not_take_the_memory(bool afterAChunk, string code)
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, (afterAChunk ? ProviderScripts.Chunk("12345678") : "") + "data: {\"x\":\"");
            var more = new string('x', 100_000);
            while (!call.Http.RequestAborted.IsCancellationRequested)
            {
                await ProviderScripts.SendAsync(call, more);
            }
        });

        using var answer = await shop.StreamAsync();

        if (afterAChunk)
        {
            AssertEndsWithError(await answer.Content.ReadAsStringAsync(), code);
        }
        else
        {
            Assert.Equal((502, code), ((int)answer.StatusCode, (await answer.ErrorAsync()).Code));
        }

        await shop.Seen[0].Left.WaitAsync(Patience);
        Assert.Equal(afterAChunk ? "cut" : "failed", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Theory]
    [InlineData("{\"prompt_tokens\":-5,\"completion_tokens\":1}")]
    [InlineData("{\"prompt_tokens\":5,\"completion_tokens\":-1}")]
    public async Task Negative_usage_is_not_believed(string usage)
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678") + $"data: {{\"choices\":[],\"usage\":{usage}}}\n\n" + Done);
            },
            Prices.PerMillionTokens(0m, 10m));

        using var answer = await shop.StreamAsync();

        Assert.Equal(ProviderScripts.Chunk("12345678") + Done, await answer.Content.ReadAsStringAsync());
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("completed", true, 0.00002m), (record.Text("outcome"), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task Usage_that_comes_with_every_chunk_is_charged_once_by_the_last()
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                for (var tokens = 1; tokens <= 3; tokens++)
                {
                    await ProviderScripts.SendAsync(call, $"data: {{\"choices\":[{{\"delta\":{{\"content\":\"a\"}}}}],\"usage\":{{\"prompt_tokens\":4,\"completion_tokens\":{tokens}}}}}\n\n");
                }

                await ProviderScripts.SendAsync(call, Done);
            });

        using var answer = await shop.StreamAsync();

        Assert.Equal(3, (await answer.Content.ReadAsStringAsync()).Split("\"usage\"").Length - 1);
        var record = await shop.RecordAsync(answer);
        Assert.Equal((4, 3), (record.GetProperty("inputTokens").GetInt64(), record.GetProperty("outputTokens").GetInt64()));
    }

    [Fact]
    public async Task A_caller_who_leaves_is_billed_for_what_was_produced_and_the_provider_is_hung_up_on()
    {
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            Prices.PerMillionTokens(0m, 10m));
        Guid id;
        using (var answer = await shop.StreamAsync())
        {
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
            await reader.ReadLineAsync();
            id = answer.RequestId();
        }

        var record = await shop.Member.RecordAsync(id);

        Assert.Equal(("abandoned", 2, 0.00002m), (record.Text("outcome"), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
        await shop.Seen[0].Left.WaitAsync(Patience);
    }

    [Fact]
    public async Task An_outcome_is_kept_before_the_stream_has_ended()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Stream(["Hello"], 5, 2));

        for (var i = 0; i < 10; i++)
        {
            using var answer = await shop.StreamAsync();
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line && line != "data: [DONE]")
            {
                // Up to the last event.
            }

            var isInTheLog = marketplace.Service.App.Services.GetRequiredService<OpenCalls>().HasUnshipped(shop.Member.Id);
            var page = await (await shop.Member.Client.GetAsync($"/api/v1/usage/records?requestId={answer.RequestId()}")).JsonAsync();
            Assert.True(isInTheLog || page.GetProperty("items").GetArrayLength() == 1, "The stream ended, and nobody knows of the call.");
        }
    }

    [Fact]
    public async Task A_whole_answer_to_a_call_that_wanted_a_stream_is_passed_on_and_charged()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 5, 2));

        using var answer = await shop.StreamAsync();

        Assert.Equal((HttpStatusCode.OK, "application/json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        Assert.Equal(5, (await shop.RecordAsync(answer)).GetProperty("inputTokens").GetInt64());
    }

    private static void AssertEndsWithError(string text, string code)
    {
        var last = text.TrimEnd('\n').Split("\n\n")[^1];
        Assert.StartsWith("data: ", last, StringComparison.Ordinal);
        var error = JsonDocument.Parse(last["data: ".Length..]).RootElement.GetProperty("error");
        Assert.Equal(code, error.Text("code"));
        Assert.EndsWith("\n\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
    }

    private static async Task<(string Text, HttpResponseMessage Answer)> ReadAsync(Shop shop, TaskCompletionSource arrived)
    {
        HttpResponseMessage? answer = null;
        var text = await shop.Client.ReadStreamAsync("/v1/chat/completions", shop.Body(Shop.Hello + ",\"stream\":true"), arrived, got => answer = got);
        return (text, answer!);
    }
}
