using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Keys;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>Who is limited and charged: an organisation, each of its keys, and end users, who have a budget alone. All have the same limits, set or not.</summary>
internal sealed record Account
{
    /// <summary>Where its counters lie in the organisation's hash.</summary>
    public required string Field { get; init; }

    /// <summary>Of the settings below: a script that knows a higher one admits nothing by them.</summary>
    public long Version { get; init; }

    /// <summary>Rate at which requests are admitted; 0: no limit.</summary>
    public long RequestsPerMinute { get; init; }

    /// <summary>Requests admitted at once.</summary>
    public long Burst { get; init; }

    /// <summary>Size of the token bucket, which is full again after a minute; 0: no limit.</summary>
    public long TokensPerMinute { get; init; }

    /// <summary>Tokens of a month; 0: no limit.</summary>
    public long TokensPerMonth { get; init; }

    /// <summary>Calls open at once; 0: no limit.</summary>
    public long ConcurrentCalls { get; init; }

    /// <summary>The most that may be spent, or null.</summary>
    public Budget? Budget { get; init; }

    public static Account OfOrganisation(TierLimits tier, Budget? budget) => new()
    {
        Field = LimitScripts.OrganisationField,
        RequestsPerMinute = tier.RequestsPerSecond * 60L,
        Burst = tier.Burst,
        TokensPerMinute = tier.TokensPerMinute,
        TokensPerMonth = tier.TokensPerMonth,
        Budget = budget,
    };

    public static Account OfEndUser(string endUser, Budget? budget) => new() { Field = LimitScripts.FieldOfEndUser(endUser), Budget = budget };

    public static Account OfKey(Guid key, long version, KeyLimits limits, Budget? budget) => new()
    {
        Field = LimitScripts.FieldOf(key),
        Version = version,
        RequestsPerMinute = limits.RequestsPerMinute ?? 0,
        Burst = limits.RequestsPerMinute ?? 0,
        TokensPerMinute = limits.TokensPerMinute ?? 0,
        ConcurrentCalls = limits.ConcurrentCalls ?? 0,
        Budget = budget,
    };
}
