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

        if (model is PricingModel.PerRequest or PricingModel.Subscription && (rate.Output is not null || rate.CachedInput is not null))
        {
            rate.At.Report(IssueCodes.InconsistentPricing, "Only prices per token tell output and cached input apart.");
        }

        CheckAmount(rate, "input", rate.Input);
        CheckAmount(rate, "output", rate.Output);
        CheckAmount(rate, "cachedInput", rate.CachedInput);
    }

    private static void CheckAmount(DeclaredRate rate, string name, decimal? amount)
    {
        if (amount < 0)
        {
            rate.At.At(name, default).Report(IssueCodes.NegativeRate, "A price is not negative.");
        }
        else if (amount > HighestRate || (amount is { } some && decimal.Round(some, MostDecimals) != some))
        {
            rate.At.At(name, default).Report(IssueCodes.OutOfRange, $"A price is at most {HighestRate} and has at most {MostDecimals} digits after the point.");
        }
    }
}
