using LlmMarketplace.Entitlement;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>An organisation as calls see it.</summary>
internal sealed record Organisation(Guid Id, string Slug, ComplianceLevel Clearance, OrganisationTier Tier, bool Active)
{
    public OrganisationFacts Facts { get; } = new(Id, Enum.Parse<ClearanceLevel>(Clearance.ToString()), Active);

    /// <summary>As prices name it.</summary>
    public string TierName { get; } = Tier.ToString().ToLowerInvariant();
}
