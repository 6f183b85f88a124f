using System.Text.Json;
using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Counting;

/// <summary>Where nobody tells usage, a token for every four bytes of text is charged: a lower bound, which escapes must not raise.</summary>
public sealed class CountedTextTests(Marketplace marketplace)
{
    private const string Text = "Ещё не ночь."; // 21 bytes.

    private const int Tokens = 6;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_whole_answer_without_usage_costs_the_same_however_its_text_is_escaped(bool escape)
    {
        using var shop = await Shop.OpenAsync(
            marketplace, ProviderScripts.Json(200, $$"""{"choices":[{"index":0,"message":{"role":"assistant","content":{{Json(escape)}}},"finish_reason":"stop"}]}"""), Prices.PerMillionTokens(4m, 8m));

        AssertCharged(await shop.RecordAsync(await shop.ChatAsync($$"""
            "messages":[{"role":"user","content":{{Json(escape)}}}]
            """)));
    }

    [Theory]
    [InlineData(EndpointProtocol.OpenAi, "/v1/chat/completions", false)]
    [InlineData(EndpointProtocol.OpenAi, "/v1/chat/completions", true)]
    [InlineData(EndpointProtocol.OpenAi, "/v1/messages", true)]
    [InlineData(EndpointProtocol.Anthropic, "/v1/messages", true)]
    [InlineData(EndpointProtocol.Anthropic, "/v1/chat/completions", true)]
    [InlineData(EndpointProtocol.Gemini, "/v1/chat/completions", true)]
    public async Task A_cut_stream_without_usage_costs_the_same_however_its_text_is_escaped(EndpointProtocol protocol, string path, bool escape)
    {
        var events = protocol switch
        {
            EndpointProtocol.Anthropic => "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n"
                + "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
                + $"event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{Json(escape)}}}}}\n\n",
            EndpointProtocol.Gemini => $"data: {{\"candidates\":[{{\"content\":{{\"role\":\"model\",\"parts\":[{{\"text\":{Json(escape)}}}]}}}}]}}\n\n",
            _ => $"data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{Json(escape)}}}}}]}}\n\n",
        };
        var service = await marketplace.AddServiceAsync(SurfaceMarket.Streaming(events), Prices.PerMillionTokens(4m, 8m), protocol);
        var member = await marketplace.AddOrganisationAsync();
        using var client = (await member.CreateKeyAsync()).Client();

        var answer = await client.PostJsonAsync(path, $$"""{"model":"acme/{{service.Name}}","max_tokens":100,"stream":true,"messages":[{"role":"user","content":{{Json(escape)}}}]}""");

        AssertCharged(await member.RecordAsync(answer.RequestId()));
    }

    private static string Json(bool escape) => escape ? JsonSerializer.Serialize(Text) : $"\"{Text}\"";

    private static void AssertCharged(JsonElement record)
    {
        Assert.True(record.GetProperty("usageCounted").GetBoolean());
        Assert.Equal((Tokens, Tokens), (record.GetProperty("inputTokens").GetInt32(), record.GetProperty("outputTokens").GetInt32()));
        Assert.Equal(((Tokens * 4m) + (Tokens * 8m)) / 1_000_000m, record.GetProperty("cost").GetDecimal());
    }
}
