using LlmMarketplace.Consumption.Budgets;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>What a call asks of the limits: upper bounds of what it may use.</summary>
/// <param name="Organisation">Who pays.</param>
/// <param name="Key">By which key.</param>
/// <param name="Tier">What the organisation's tier admits.</param>
/// <param name="Tokens">Tokens in and out, at most.</param>
/// <param name="Nanos">Price in nano-units, at most.</param>
/// <param name="OrganisationBudget">The organisation's budget, or null.</param>
/// <param name="KeyBudget">The key's budget, or null.</param>
internal sealed record Reservation(Guid Organisation, Guid Key, TierLimits Tier, long Tokens, long Nanos, Budget? OrganisationBudget, Budget? KeyBudget);

/// <summary>What the limits say.</summary>
internal enum LimitStatus
{
    /// <summary>All reserved.</summary>
    Admitted = 0,

    /// <summary>The counters are not those expected.</summary>
    Generation = 1,

    /// <summary>The organisation's monthly tokens do not suffice.</summary>
    MonthlyTokens = 2,

    /// <summary>The organisation's budget does not suffice.</summary>
    OrganisationBudget = 3,

    /// <summary>The key's budget does not suffice.</summary>
    KeyBudget = 4,

    /// <summary>Too many requests.</summary>
    Requests = 5,

    /// <summary>Too many tokens a minute.</summary>
    Tokens = 6,
}

/// <summary>The limits' answer.</summary>
/// <param name="Status">Admitted, or which limit refuses.</param>
/// <param name="Generation">Of the counters that hold the reservation.</param>
/// <param name="Day">UTC day by Redis's clock, yyyymmdd.</param>
/// <param name="Now">Redis's clock.</param>
/// <param name="RemainingRequests">Calls that would be admitted now.</param>
/// <param name="RequestsFullIn">Until the request bucket is full.</param>
/// <param name="RemainingTokens">Tokens that would be admitted now.</param>
/// <param name="TokensFullIn">Until the token bucket is full.</param>
/// <param name="Wait">After a refusal by rate: until this call would be admitted.</param>
/// <param name="UsedTokens">Tokens used and reserved this month, before this call.</param>
internal readonly record struct LimitAnswer(
    LimitStatus Status,
    long Generation,
    int Day,
    DateTimeOffset Now,
    long RemainingRequests,
    TimeSpan RequestsFullIn,
    long RemainingTokens,
    TimeSpan TokensFullIn,
    TimeSpan Wait,
    long UsedTokens);
