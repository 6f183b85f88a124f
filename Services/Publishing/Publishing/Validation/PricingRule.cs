using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>INCONSISTENT_PRICING, MISSING_PRICING_RATES, NEGATIVE_RATE, INVALID_PRICING_UNIT.</summary>
internal sealed class PricingRule : ISpecificationRule
{
    /// <summary>The only currency for now.</summary>
    private const string Currency = "USD";

    private const string DefaultTier = "default";
    private const decimal HighestRate = 1_000_000m;

    /// <summary>The digits after the point that amounts are reckoned with: nothing is rounded away by accident.</summary>
    private const int MostDecimals = 12;

    private static readonly Dictionary<PricingModel, string[]> Units = new()
    {
        [PricingModel.Free] = [],
        [PricingModel.PerToken] = ["token", "1k-tokens", "1m-tokens"],
        [PricingModel.PerRequest] = ["request", "1k-requests"],
        [PricingModel.Subscription] = ["month"],
    };

    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        if (declaration.Pricing is { } pricing)
        {
            if (!string.IsNullOrWhiteSpace(declaration.Currency) && declaration.Currency != Currency)
            {
                pricing.Member("currency", required: false)!.Value.Report(IssueCodes.UnsupportedCurrency, $"Prices are in {Currency} for now.");
            }

            if (declaration.PricingModel is { } model)
            {
                CheckRates(pricing, model, declaration.Rates);
            }
        }

        return Task.CompletedTask;
    }

    private static void CheckRates(Node pricing, PricingModel model, IReadOnlyList<DeclaredRate> rates)
    {
        var at = pricing.At("rates", default);
        if (model == PricingModel.Free)
        {
            if (rates.Count > 0)
            {
                at.Report(IssueCodes.InconsistentPricing, "A free service has no rates.");
            }
        }
        else if (rates.Count == 0)
        {
            at.Report(IssueCodes.MissingPricingRates, $"The pricing model {WireNames<PricingModel>.Of(model)} needs rates.");
        }
        else if (WithoutRate(rates) is { Count: > 0 } missing)
        {
            at.Report(IssueCodes.MissingPricingRates, $"No rate covers {string.Join(", ", missing)}: add one for each, or one for the tier {DefaultTier}.");
        }

        foreach (var rate in rates)
        {
            CheckRate(model, rate);
        }

        foreach (var twice in rates.Where(rate => rate.Tier is not null).GroupBy(rate => rate.Tier).SelectMany(tier => tier.Skip(1)))
        {
            twice.At.At("tier", default).Report(IssueCodes.InconsistentPricing, $"The tier {twice.Tier} has two rates.");
        }
    }

    private static List<string> WithoutRate(IReadOnlyList<DeclaredRate> rates) =>
        rates.Any(rate => rate.Tier == DefaultTier) ? [] : [.. WireNames<OrganisationTier>.All.Except(rates.Select(rate => rate.Tier ?? ""))];

    private static void CheckRate(PricingModel model, DeclaredRate rate)
    {
        if (model != PricingModel.Free && rate.Unit is not null && !Units[model].Contains(rate.Unit))
        {
            rate.At.At("unit", default).Report(IssueCodes.InvalidPricingUnit, $"The pricing model {WireNames<PricingModel>.Of(model)} is priced by {string.Join(", ", Units[model])}.");
        }

        if (model is PricingModel.PerRequest or PricingModel.Subscription && OnlyOfTokens(rate).Any(amount => amount is not null))
        {
            rate.At.Report(IssueCodes.InconsistentPricing, "Only prices per token tell output, cached input, reasoning and audio apart.");
        }

        if (model == PricingModel.Subscription && (rate.Image is not null || rate.AudioMinute is not null || rate.MillionCharacters is not null || rate.Tools is { Count: > 0 }))
        {
            rate.At.Report(IssueCodes.InconsistentPricing, "With a subscription, calls cost nothing more.");
        }

        if (rate.AudioOutput is not null && rate.AudioInput is null)
        {
            rate.At.At("audioInput", default).Report(IssueCodes.InconsistentPricing, "Who prices audio out prices audio in too.");
        }

        foreach (var (at, name, amount) in Amounts(rate))
        {
            CheckAmount(at, name, amount);
        }
    }

    private static decimal?[] OnlyOfTokens(DeclaredRate rate) =>
        [rate.Output, rate.CachedInput, rate.CacheWrite, rate.CacheWrite1h, rate.Reasoning, rate.AudioInput, rate.AudioOutput, rate.PerRequest, rate.LongContext?.Input];

    private static IEnumerable<(Node At, string Name, decimal? Amount)> Amounts(DeclaredRate rate)
    {
        yield return (rate.At, "input", rate.Input);
        yield return (rate.At, "output", rate.Output);
        yield return (rate.At, "cachedInput", rate.CachedInput);
        yield return (rate.At, "cacheWrite", rate.CacheWrite);
        yield return (rate.At, "cacheWrite1h", rate.CacheWrite1h);
        yield return (rate.At, "reasoning", rate.Reasoning);
        yield return (rate.At, "audioInput", rate.AudioInput);
        yield return (rate.At, "audioOutput", rate.AudioOutput);
        yield return (rate.At, "image", rate.Image);
        yield return (rate.At, "audioMinute", rate.AudioMinute);
        yield return (rate.At, "millionCharacters", rate.MillionCharacters);
        yield return (rate.At, "perRequest", rate.PerRequest);
        foreach (var (tool, price) in rate.Tools ?? new Dictionary<string, decimal>())
        {
            yield return (rate.At.At("tools", default), tool, price);
        }

        if (rate.LongContext is { } longer)
        {
            yield return (longer.At, "input", longer.Input);
            yield return (longer.At, "output", longer.Output);
            yield return (longer.At, "cachedInput", longer.CachedInput);
            yield return (longer.At, "cacheWrite", longer.CacheWrite);
            yield return (longer.At, "cacheWrite1h", longer.CacheWrite1h);
        }
    }

    private static void CheckAmount(Node at, string name, decimal? amount)
    {
        if (amount < 0)
        {
            at.At(name, default).Report(IssueCodes.NegativeRate, "A price is not negative.");
        }
        else if (amount > HighestRate || (amount is { } some && decimal.Round(some, MostDecimals) != some))
        {
            at.At(name, default).Report(IssueCodes.OutOfRange, $"A price is at most {HighestRate} and has at most {MostDecimals} digits after the point.");
        }
    }
}
