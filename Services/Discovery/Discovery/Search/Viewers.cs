using System.Security.Claims;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Identity.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>Says who a caller is for the catalogue. The token names the organisation; what it is cleared for comes from Identity's events.</summary>
internal sealed class Viewers(OrganisationMirror organisations)
{
    /// <summary>The caller's organisation. One that no event has told of yet is treated as the least there is.</summary>
    public Viewer Of(ClaimsPrincipal caller)
    {
        var id = caller.OrganisationId();
        return organisations.Find(id) is { } known
            ? new Viewer(new OrganisationFacts(id, known.Clearance, known.Active), known.Tier)
            : new Viewer(new OrganisationFacts(id, ClearanceLevel.Public, Active: true), Wire<OrganisationTier>.Name(OrganisationTier.Basic));
    }
}
