using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Pricing;

/// <summary>What a call consumed.</summary>
/// <param name="InputTokens">Tokens in, cached ones included (as OpenAI counts).</param>
/// <param name="CachedInputTokens">Of these, read from the provider's cache.</param>
/// <param name="OutputTokens">Tokens out.</param>
internal readonly record struct TokenUsage(long InputTokens, long CachedInputTokens, long OutputTokens)
{
    public long Total => InputTokens + OutputTokens;
}

/// <summary>
/// The price of one version for one tier, in force from admission to settlement. Exact: decimals all the way, the unit divides by a power of ten.
/// cost = perRequest + (input − cached)·rateIn + cached·rateCached + output·rateOut.
/// </summary>
/// <param name="PerRequest">Price of a call.</param>
/// <param name="Input">Price of a token in.</param>
/// <param name="CachedInput">Price of a cached token in.</param>
/// <param name="Output">Price of a token out.</param>
/// <param name="Currency">ISO 4217 code.</param>
internal sealed record Price(decimal PerRequest, decimal Input, decimal CachedInput, decimal Output, string Currency)
{
    /// <summary>Redis counts in whole nano-units: 10⁻⁹ of the currency.</summary>
    public const decimal NanosPerUnit = 1_000_000_000m;

    private const string DefaultTier = "default";

    /// <summary>The price for a tier: its own rate, else the one named <c>default</c>, else null: not for sale to it.</summary>
    public static Price? For(ServicePricing pricing, string tier)
    {
        if (pricing.Model == PricingModel.Free)
        {
            return new Price(0, 0, 0, 0, pricing.Currency);
        }

        var rate = pricing.Rates.FirstOrDefault(r => r.Tier == tier) ?? pricing.Rates.FirstOrDefault(r => r.Tier == DefaultTier);
        return rate is null ? null : pricing.Model switch
        {
            PricingModel.PerRequest => new Price(rate.Input / PerUnit(rate.Unit), 0, 0, 0, pricing.Currency),
            PricingModel.PerToken => PerToken(rate, PerUnit(rate.Unit), pricing.Currency),
            PricingModel.Subscription => new Price(0, 0, 0, 0, pricing.Currency), // Paid by month: a call costs nothing more.
            _ => null,
        };
    }

    /// <summary>The exact cost of what was consumed.</summary>
    public decimal Cost(TokenUsage usage) =>
        PerRequest + ((usage.InputTokens - usage.CachedInputTokens) * Input) + (usage.CachedInputTokens * CachedInput) + (usage.OutputTokens * Output);

    /// <summary>The most that a call can cost whose usage stays below these bounds.</summary>
    public decimal UpperBound(long inputTokens, long outputTokens) => PerRequest + (inputTokens * Math.Max(Input, CachedInput)) + (outputTokens * Output);

    /// <summary>The most output that a call with this input can have within an amount; null when output costs nothing.</summary>
    public long? OutputWithin(long nanos, long inputTokens)
    {
        if (Output == 0)
        {
            return null;
        }

        var rest = (nanos / NanosPerUnit) - UpperBound(inputTokens, 0);
        return rest <= 0 ? 0 : (long)Math.Min(Math.Floor(rest / Output), long.MaxValue);
    }

    /// <summary>Nano-units, rounded up: limits never err in the caller's favour by more than they must.</summary>
    public static long Nanos(decimal amount) => amount * NanosPerUnit is var nanos && nanos >= long.MaxValue ? long.MaxValue : (long)Math.Ceiling(nanos);

    private static Price PerToken(PriceRate rate, decimal unit, string currency) =>
        new(0, rate.Input / unit, (rate.CachedInput ?? rate.Input) / unit, (rate.Output ?? 0) / unit, currency);

    private static decimal PerUnit(string unit) => unit switch
    {
        "1k-tokens" or "1k-requests" => 1_000m,
        "1m-tokens" => 1_000_000m,
        _ => 1m,
    };
}
