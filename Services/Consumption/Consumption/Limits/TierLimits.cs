using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// What a tier admits. Requests: a bucket that holds <paramref name="Burst"/> and gains <paramref name="RequestsPerSecond"/>. Tokens: a bucket that holds
/// <see cref="TokensPerMinute"/> and is full again after a minute; its size is what a whole burst of calls takes at <see cref="TokensPerCall"/> each, so that for
/// calls of common size the request rate decides, and for long ones the tokens do.
/// </summary>
internal sealed record TierLimits(int RequestsPerSecond, int Burst, long TokensPerMonth)
{
    private const long TokensPerCall = 4_000;
    private static readonly TierLimits Basic = new(10, 20, 100_000);
    private static readonly TierLimits Premium = new(100, 200, 10_000_000);
    private static readonly TierLimits Enterprise = new(1_000, 2_000, 1_000_000_000);

    public long TokensPerMinute { get; } = Burst * TokensPerCall;

    public static TierLimits Of(OrganisationTier tier) => tier switch
    {
        OrganisationTier.Enterprise => Enterprise,
        OrganisationTier.Premium => Premium,
        _ => Basic,
    };
}
