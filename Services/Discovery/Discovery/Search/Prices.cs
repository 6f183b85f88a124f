using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>What a service costs the viewer.</summary>
/// <param name="Model">How it is charged.</param>
/// <param name="Currency">ISO 4217.</param>
/// <param name="Tier">The tier whose rate applies to the viewer: its own, or <c>default</c>; null when free.</param>
/// <param name="Unit">What the rate is for.</param>
/// <param name="Input">Price of a unit of input, or of a request or month.</param>
/// <param name="Output">Price of a unit of output.</param>
/// <param name="CachedInput">Price of a unit of cached input.</param>
/// <param name="InputPerMillionTokens">For comparison; null when tokens are not what is charged.</param>
/// <param name="OutputPerMillionTokens">For comparison.</param>
internal sealed record ViewerPrice(
    PricingModel Model, string Currency, string? Tier, string? Unit, decimal? Input, decimal? Output, decimal? CachedInput, decimal? InputPerMillionTokens, decimal? OutputPerMillionTokens);

/// <summary>Prices as one viewer has them.</summary>
internal static class Prices
{
    public static ViewerPrice For(ServicePricing pricing, string tier)
    {
        if (pricing.Model == PricingModel.Free)
        {
            return new ViewerPrice(pricing.Model, pricing.Currency, null, null, null, null, null, 0, 0);
        }

        var rate = pricing.Rates.FirstOrDefault(r => r.Tier == tier) ?? pricing.Rates.FirstOrDefault(r => r.Tier == "default");
        var perMillion = rate?.Unit switch
        {
            "token" => 1_000_000m,
            "1k-tokens" => 1_000m,
            "1m-tokens" => 1m,
            _ => (decimal?)null,
        };
        return new ViewerPrice(pricing.Model, pricing.Currency, rate?.Tier, rate?.Unit, rate?.Input, rate?.Output, rate?.CachedInput, rate?.Input * perMillion, rate?.Output * perMillion);
    }

    /// <summary>The dearer of input and output per million tokens: what a ceiling holds down and what a sort by price compares. Null when tokens are not what is charged.</summary>
    public static decimal? PerMillionTokens(ServicePricing pricing, string tier)
    {
        var price = For(pricing, tier);
        return price.InputPerMillionTokens is { } input ? Math.Max(input, price.OutputPerMillionTokens ?? 0) : null;
    }
}
