using System.Text.Json.Serialization;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Pricing;

/// <summary>
/// The price of one version for one tier, in force from admission to settlement. Exact: decimals all the way, the unit divides by a power of ten.
/// <code>
/// cost = perRequest + plain·input + cached·cachedInput + written·cacheWrite + audioIn·audioInput        plain = input − cached − written − audioIn
///      + text·output + reasoning·reasoning + audioOut·audioOutput + images·image + searches·webSearch   text = output − reasoning − audioOut
///      + seconds·audioMinute/60 + characters·character
/// </code>
/// A long call (<see cref="LongContext"/>) is reckoned with other rates, all of it.
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

    /// <summary>The most that counters hold of one call, exact in Redis's doubles; no budget is larger.</summary>
    public const long MaxNanos = 9_000_000_000_000_000;

    /// <summary>The tool that Anthropic and OpenAI both run under this name.</summary>
    public const string WebSearchTool = "web_search";

    private const string DefaultTier = "default";

    /// <summary>Price of a token written to the cache for 5 minutes; null: as input.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? CacheWrite { get; init; }

    /// <summary>The same for an hour; null: as for 5 minutes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? CacheWrite1h { get; init; }

    /// <summary>Price of a token of reasoning; null: as output.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? Reasoning { get; init; }

    /// <summary>Price of a token of audio in; null: audio is not for sale, and what comes all the same costs as text.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? AudioInput { get; init; }

    /// <summary>Price of a token of audio out; null: as <see cref="AudioInput"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? AudioOutput { get; init; }

    /// <summary>Price of an image made.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? Image { get; init; }

    /// <summary>Price of a minute of audio in; null: time is not for sale.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? AudioMinute { get; init; }

    /// <summary>Price of a character spoken; null: characters are not for sale.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? Character { get; init; }

    /// <summary>Whether tokens cost anything.</summary>
    [JsonIgnore]
    public bool HasTokenRates => Input > 0 || Output > 0 || AudioInput > 0 || AudioOutput > 0;

    /// <summary>Whether tokens out cost anything, in long calls or others.</summary>
    [JsonIgnore]
    public bool HasOutputRate => Dearest(Output, Reasoning, AudioOutput) > 0 || LongContext?.HasOutputRate == true;

    /// <summary>Price of one search that the provider runs itself; null: not for sale.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public decimal? WebSearch { get; init; }

    /// <summary>Above how many tokens in a call is long; null: length changes nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? LongAbove { get; init; }

    /// <summary>The price of a long call.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Price? LongContext { get; init; }

    /// <summary>No price at all.</summary>
    public static Price Nothing(string currency) => new(0, 0, 0, 0, currency);

    /// <summary>The price for a tier: its own rate, else the one named <c>default</c>, else null: not for sale to it.</summary>
    public static Price? For(ServicePricing pricing, string tier)
    {
        if (pricing.Model == PricingModel.Free)
        {
            return Nothing(pricing.Currency);
        }

        var rate = pricing.Rates.FirstOrDefault(r => r.Tier == tier) ?? pricing.Rates.FirstOrDefault(r => r.Tier == DefaultTier);
        return rate is null ? null : pricing.Model switch
        {
            PricingModel.PerRequest => new Price(rate.Input / PerUnit(rate.Unit), 0, 0, 0, pricing.Currency) 
            {
                Image = rate.Image,
                AudioMinute = rate.AudioMinute,
                Character = rate.MillionCharacters / 1_000_000m,
                WebSearch = SearchPrice(rate),
            },
            PricingModel.PerToken => PerToken(rate, PerUnit(rate.Unit), pricing.Currency),
            PricingModel.Subscription => Nothing(pricing.Currency), // Paid by month: a call costs nothing more.
            _ => null,
        };
    }

    /// <summary>The exact cost of what was consumed.</summary>
    public decimal Cost(TokenUsage usage)
    {
        if (usage.InputTokens > LongAbove)
        {
            return LongContext!.Cost(usage);
        }

        // Providers may count a part among two wholes (cached audio); no token is charged twice.
        var written = usage.CacheWriteTokens + usage.CacheWrite1hTokens;
        var audioIn = Math.Min(usage.AudioInputTokens, usage.InputTokens - usage.CachedInputTokens - written);
        var audioOut = Math.Min(usage.AudioOutputTokens, usage.OutputTokens - usage.ReasoningTokens);
        return PerRequest
            + ((usage.InputTokens - usage.CachedInputTokens - written - audioIn) * Input)
            + (usage.CachedInputTokens * CachedInput)
            + (usage.CacheWriteTokens * (CacheWrite ?? Input))
            + (usage.CacheWrite1hTokens * (CacheWrite1h ?? CacheWrite ?? Input))
            + (audioIn * (AudioInput ?? Input))
            + ((usage.OutputTokens - usage.ReasoningTokens - audioOut) * Output)
            + (usage.ReasoningTokens * (Reasoning ?? Output))
            + (audioOut * (AudioOutput ?? Output))
            + (usage.Images * (Image ?? 0))
            + OfTime(usage.AudioSeconds)
            + (usage.Characters * (Character ?? 0))
            + (usage.WebSearches * (WebSearch ?? 0));
    }

    /// <summary>The most that a call can cost whose usage stays below these bounds.</summary>
    public decimal UpperBound(long inputTokens, long outputTokens, long images = 0, long webSearches = 0, decimal audioSeconds = 0, long characters = 0)
    {
        var dearestInput = Dearest(Input, CachedInput, CacheWrite, CacheWrite1h, AudioInput);
        var dearestOutput = Dearest(Output, Reasoning, AudioOutput);
        var bound = PerRequest + (inputTokens * dearestInput) + (outputTokens * dearestOutput) + (images * (Image ?? 0)) + (webSearches * (WebSearch ?? 0))
            + OfTime(audioSeconds) + (characters * (Character ?? 0));
        return inputTokens > LongAbove ? Math.Max(bound, LongContext!.UpperBound(inputTokens, outputTokens, images, webSearches, audioSeconds, characters)) : bound;
    }

    /// <summary>The most output, up to <paramref name="most"/>, with which a call with this input stays within an amount; null when output costs nothing.</summary>
    public long? OutputWithin(long nanos, long inputTokens, long most)
    {
        if (UpperBound(inputTokens, most) == UpperBound(inputTokens, 0))
        {
            return null;
        }

        var (fits, exceeds) = (0L, most + 1);
        while (exceeds - fits > 1)
        {
            var middle = fits + ((exceeds - fits) / 2);
            (fits, exceeds) = Nanos(UpperBound(inputTokens, middle)) <= nanos ? (middle, exceeds) : (fits, middle);
        }

        return fits;
    }

    /// <summary>Nano-units, rounded up: limits never err in the caller's favour by more than they must. At most <see cref="MaxNanos"/>.</summary>
    public static long Nanos(decimal amount) => amount >= MaxNanos / NanosPerUnit ? MaxNanos : (long)Math.Ceiling(amount * NanosPerUnit);

    /// <summary>A sixtieth may have no end in decimals: here, and only here, amounts are rounded before the invoice, to the 18th digit.</summary>
    private decimal OfTime(decimal seconds) => AudioMinute is { } minute ? Math.Round(seconds * minute / 60m, 18) : 0m;

    private static Price PerToken(PriceRate rate, decimal unit, string currency)
    {
        var price = new Price(rate.PerRequest ?? 0, rate.Input / unit, (rate.CachedInput ?? rate.Input) / unit, (rate.Output ?? 0) / unit, currency)
        {
            CacheWrite = rate.CacheWrite / unit,
            CacheWrite1h = rate.CacheWrite1h / unit,
            Reasoning = rate.Reasoning / unit,
            AudioInput = rate.AudioInput / unit,
            AudioOutput = rate.AudioOutput / unit,
            Image = rate.Image,
            AudioMinute = rate.AudioMinute,
            Character = rate.MillionCharacters / 1_000_000m,
            WebSearch = SearchPrice(rate),
        };
        return rate.LongContext is not { } longer ? price : price with
        {
            LongAbove = longer.AboveInputTokens,
            LongContext = price with
            {
                Input = longer.Input / unit,
                CachedInput = (longer.CachedInput ?? longer.Input) / unit,
                Output = (longer.Output ?? rate.Output ?? 0) / unit,
                CacheWrite = longer.CacheWrite / unit,
                CacheWrite1h = longer.CacheWrite1h / unit,
                Reasoning = null,
            },
        };
    }

    private static decimal? SearchPrice(PriceRate rate) => rate.Tools is { } tools && tools.TryGetValue(WebSearchTool, out var price) ? price : null;

    private static decimal Dearest(decimal first, params ReadOnlySpan<decimal?> others)
    {
        foreach (var other in others)
        {
            first = Math.Max(first, other ?? 0);
        }

        return first;
    }

    private static decimal PerUnit(string unit) => unit switch
    {
        "1k-tokens" or "1k-requests" => 1_000m,
        "1m-tokens" => 1_000_000m,
        _ => 1m,
    };
}
