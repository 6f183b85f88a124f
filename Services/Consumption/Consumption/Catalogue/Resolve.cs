using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Entitlement;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>What a caller's model name leads to: a version, or why to none.</summary>
/// <param name="Version">The version to call.</param>
/// <param name="Verdict">Allowed, or the reason that may be told.</param>
/// <param name="Withdrawn">The version that would be called, were it not suspended or retired; null when it is neither.</param>
internal readonly record struct Resolution(ListedVersion? Version, ResolutionVerdict Verdict, ListedVersion? Withdrawn = null);

internal enum ResolutionVerdict
{
    /// <summary>Call it.</summary>
    Allowed,

    /// <summary>It does not exist, or the caller may not know that it does.</summary>
    NotFound,

    /// <summary>The key's scopes leave it out.</summary>
    OutOfScope,

    /// <summary>The listing, the version or the provider is suspended.</summary>
    Suspended,

    /// <summary>All that was asked for is retired.</summary>
    Retired,
}

/// <summary>
/// The rule: of the versions that the name admits and the caller may call, the highest active stable one; else the highest active pre-release; else
/// the highest deprecated one, stable before pre-release. A deprecated version is never taken while an active one is there.
/// </summary>
internal static class Resolve
{
    /// <summary>What a name stands for: an organisation's own alias for its target, any other name for itself. A target is never an alias.</summary>
    public static string Alias(CatalogueSnapshot catalogue, Organisation caller, string model) =>
        catalogue.Aliases.TryGetValue(caller.Id, out var aliases) && aliases.TryGetValue(model, out var alias) ? alias.Target : model;

    public static Resolution Version(CatalogueSnapshot catalogue, Organisation caller, KeyScopes scopes, ModelName name)
    {
        if (!catalogue.Listings.TryGetValue(name.Listing, out var listing))
        {
            return new Resolution(null, ResolutionVerdict.NotFound);
        }

        var facts = listing.Facts(catalogue.IsActive(listing.OrganisationId));
        var refusal = ResolutionVerdict.NotFound;
        ListedVersion? withdrawn = null;
        foreach (var version in listing.Versions)
        {
            if (!version.Matches(name.Version))
            {
                continue;
            }

            switch (Entitlements.MayCall(caller.Facts, facts, version.Facts))
            {
                case CallVerdict.Allowed:
                    return scopes.Admit(listing.Name, version.Specification.Category)
                        ? new Resolution(version, ResolutionVerdict.Allowed)
                        : new Resolution(null, ResolutionVerdict.OutOfScope);
                case CallVerdict.Suspended or CallVerdict.ProviderSuspended when version.Facts.State is VersionState.Active or VersionState.Deprecated or VersionState.Suspended:
                    withdrawn = refusal == ResolutionVerdict.Suspended ? withdrawn : version;
                    refusal = ResolutionVerdict.Suspended;
                    break;
                case CallVerdict.NotLive when version.Facts.State == VersionState.Retired && refusal == ResolutionVerdict.NotFound:
                    (refusal, withdrawn) = (ResolutionVerdict.Retired, version);
                    break;
                default:
                    break;
            }
        }

        return new Resolution(null, refusal, withdrawn);
    }
}
