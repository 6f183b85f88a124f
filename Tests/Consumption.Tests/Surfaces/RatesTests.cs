using System.Text;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Publishing.Contracts;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Surfaces;

public sealed class RatesTests
{
    private static readonly PriceRate Rate = new("default", "1m-tokens", 2m, 10m, 0.5m)
    {
        Reasoning = 12m,
        AudioInput = 40m,
        AudioOutput = 80m,
        PerRequest = 0.001m,
        LongContext = new LongContextRate(200_000, 4m, 15m, 1m, null, null),
    };

    [Fact]
    public void Each_part_is_charged_once_at_its_own_rate()
    {
        var usage = new TokenUsage(1_000, 100, 500) { AudioInputTokens = 200, ReasoningTokens = 50, AudioOutputTokens = 30 };

        Assert.Equal(0.001m + (((700 * 2m) + (100 * 0.5m) + (200 * 40m) + (420 * 10m) + (50 * 12m) + (30 * 80m)) / 1_000_000m), Of(Rate).Cost(usage));
    }

    [Fact]
    public void A_long_call_is_repriced_from_its_first_token()
    {
        Assert.Equal(0.001m + (200_000 * 2m / 1_000_000m), Of(Rate).Cost(new TokenUsage(200_000, 0, 0)));
        Assert.Equal(0.001m + (((200_001 * 4m) + (10 * 15m)) / 1_000_000m), Of(Rate).Cost(new TokenUsage(200_001, 0, 10)));
    }

    [Fact]
    public void Nothing_costs_more_than_its_upper_bound()
    {
        var price = Of(Rate);
        foreach (var usage in new TokenUsage[]
        {
            new(300_000, 0, 10), new(300_000, 300_000, 10), new(1_000, 0, 1_000) { ReasoningTokens = 1_000 }, new(1_000, 0, 1_000) { AudioInputTokens = 1_000, AudioOutputTokens = 1_000 },
        })
        {
            Assert.True(price.Cost(usage) <= price.UpperBound(usage.InputTokens, usage.OutputTokens), usage.ToString());
        }
    }

    [Theory]
    [InlineData("""{"usage":{"prompt_tokens":-1,"completion_tokens":5}}""")]
    [InlineData("""{"usage":{"prompt_tokens":"3","completion_tokens":5}}""")]
    [InlineData("""{"usage":{"prompt_tokens":3,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}""")]
    [InlineData("""{"usage":{"prompt_tokens":3,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}}}""")]
    [InlineData("""{"usage":{"prompt_tokens":1e30,"completion_tokens":5}}""")]
    [InlineData("""{"usage":{}}""")]
    [InlineData("""{"usage":null}""")]
    public void Nonsense_is_no_usage(string answer)
    {
        var fields = default(UsageFields);
        ReadUsage.Read(Encoding.UTF8.GetBytes(answer), Dialect.Chat, ref fields);

        Assert.Null(fields.ToUsage(Dialect.Chat));
    }

    [Theory]
    [InlineData(9, 339, 380, 348)] // Beside: 32 + 9 + 339.
    [InlineData(400, 339, 771, 739)] // Beside, and the smaller part.
    [InlineData(400, 339, 432, 400)] // Within, as OpenAI has it: 32 + 400.
    public void Reasoning_is_output_whether_it_is_told_beside_or_within(int completion, int reasoning, int total, int output)
    {
        var fields = default(UsageFields);
        ReadUsage.Read(
            Encoding.UTF8.GetBytes($$"""{"usage":{"completion_tokens_details":{"reasoning_tokens":{{reasoning}} },"prompt_tokens":32,"completion_tokens":{{completion}},"total_tokens":{{total}} } }"""), Dialect.Chat, ref fields);

        Assert.Equal(new TokenUsage(32, 0, output) { ReasoningTokens = reasoning }, fields.ToUsage(Dialect.Chat));
    }

    private static Price Of(PriceRate rate) => Price.For(new ServicePricing(PricingModel.PerToken, "USD", [rate]), "basic")!;
}
