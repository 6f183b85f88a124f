using System.Numerics;
using FsCheck;
using FsCheck.Xunit;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Publishing.Contracts;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Pricing;

/// <summary>Money is exact: whole numbers of 10⁻¹⁸ USD say the same.</summary>
public sealed class PriceTests
{
    private const decimal RateUnit = 0.000000000001m; // a rate for a million tokens, in steps of 10⁻¹² USD

    [Property]
    public void A_cost_is_exact_to_the_last_digit(NonNegativeInt input, NonNegativeInt cached, NonNegativeInt output, NonNegativeInt inputRate, NonNegativeInt cachedRate, NonNegativeInt outputRate)
    {
        var price = PerMillion(inputRate, cachedRate, outputRate);
        var usage = new TokenUsage((long)input.Get + cached.Get, cached.Get, output.Get);

        var exact = (new BigInteger(input.Get) * inputRate.Get) + (new BigInteger(cached.Get) * cachedRate.Get) + (new BigInteger(output.Get) * outputRate.Get);
        Assert.Equal(exact, Attos(price.Cost(usage)));
    }

    [Property]
    public void The_sum_of_the_records_is_the_usages_total(NonNegativeInt[] tokens, NonNegativeInt inputRate, NonNegativeInt cachedRate, NonNegativeInt outputRate)
    {
        var price = PerMillion(inputRate, cachedRate, outputRate);
        var calls = tokens.Select(count => new TokenUsage((long)count.Get * 2, count.Get, count.Get)).ToArray();
        var whole = new TokenUsage(calls.Sum(call => call.InputTokens), calls.Sum(call => call.CachedInputTokens), calls.Sum(call => call.OutputTokens));

        Assert.Equal(price.Cost(whole), calls.Sum(price.Cost));
        Assert.Equal(price.Cost(whole), calls.Reverse().Sum(price.Cost));
    }

    [Property]
    public void Nanos_are_rounded_up_and_by_less_than_one(NonNegativeInt whole, NonNegativeInt fraction)
    {
        var amount = whole.Get + (fraction.Get * 0.0000000000001m);

        var nanos = Price.Nanos(amount);

        Assert.InRange((nanos / Price.NanosPerUnit) - amount, 0m, 0.000000000999999999999999m);
    }

    [Property]
    public void No_call_costs_more_than_what_was_reserved_for_it(NonNegativeInt input, NonNegativeInt cached, NonNegativeInt output, NonNegativeInt inputRate, NonNegativeInt cachedRate, NonNegativeInt outputRate)
    {
        var price = PerMillion(inputRate, cachedRate, outputRate);
        var usage = new TokenUsage((long)input.Get + cached.Get, cached.Get, output.Get);

        Assert.True(Price.Nanos(price.Cost(usage)) <= Price.Nanos(price.UpperBound(usage.InputTokens, usage.OutputTokens)));
    }

    [Fact]
    public void Nanos_never_overflow() => Assert.Equal((Price.MaxNanos, Price.MaxNanos), (Price.Nanos(9_000_000m), Price.Nanos(decimal.MaxValue)));

    [Theory]
    [InlineData("token", 2, 2)]
    [InlineData("1k-tokens", 2, 0.002)]
    [InlineData("1m-tokens", 2, 0.000002)]
    public void A_rate_is_for_its_unit(string unit, double rate, double each) =>
        Assert.Equal((decimal)each, Price.For(new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", unit, (decimal)rate, null, null)]), "basic")!.Cost(new TokenUsage(1, 0, 0)));

    [Fact]
    public void Cached_tokens_cost_as_others_unless_said_and_output_nothing()
    {
        var price = Price.For(Prices.PerMillionTokens(3m), "basic")!;

        Assert.Equal(0.000003m * 10, price.Cost(new TokenUsage(10, 4, 1_000)));
    }

    [Fact]
    public void A_tier_has_its_own_rate_or_the_default_or_none()
    {
        var both = new ServicePricing(PricingModel.PerRequest, "USD", [new PriceRate("default", "request", 2m, null, null), new PriceRate("enterprise", "request", 1m, null, null)]);
        var one = both with { Rates = [both.Rates[1]] };

        Assert.Equal((2m, 1m), (Price.For(both, "basic")!.PerRequest, Price.For(both, "enterprise")!.PerRequest));
        Assert.Null(Price.For(one, "basic"));
        Assert.Equal(0m, Price.For(Prices.Free, "basic")!.Cost(new TokenUsage(9, 9, 9)));
    }

    private static Price PerMillion(NonNegativeInt input, NonNegativeInt cached, NonNegativeInt output) =>
        Price.For(Prices.PerMillionTokens(input.Get * RateUnit, output.Get * RateUnit, cached.Get * RateUnit), "basic")!;

    private static BigInteger Attos(decimal amount) => new(amount * 1_000_000_000m * 1_000_000_000m);
}
