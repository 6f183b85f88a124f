namespace LlmMarketplace.Entitlement;

/// <summary>
/// Who may see and call what. An organisation sees a listing when it owns it, or when a version is active or deprecated, the
/// visibility admits it, and that version's level is at most its clearance. It calls what it sees, while the version is live and neither
/// side is suspended. Pure: each service feeds it from its own projection, and whoever must filter in another language (SQL)
/// proves itself against the same table of cases.
/// </summary>
public static class Entitlements
{
    /// <summary>Whether the organisation sees anything of the listing.</summary>
    public static bool MaySee(OrganisationFacts viewer, ListingFacts listing, params ReadOnlySpan<VersionFacts> versions)
    {
        ArgumentNullException.ThrowIfNull(listing);
        if (listing.Owner == viewer.Id)
        {
            return true;
        }

        foreach (var version in versions)
        {
            if (MaySeeVersion(viewer, listing, version))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether the organisation sees this version. An owner sees every version of its own, in every state.</summary>
    public static bool MaySeeVersion(OrganisationFacts viewer, ListingFacts listing, VersionFacts version)
    {
        ArgumentNullException.ThrowIfNull(listing);
        return listing.Owner == viewer.Id || MayCall(viewer, listing, version) == CallVerdict.Allowed;
    }

    /// <summary>
    /// Whether the organisation may call this version, or the first reason why not. Reasons that would tell the caller that something
    /// hidden exists come before those that may be told. Owners call their own whatever its level.
    /// </summary>
    public static CallVerdict MayCall(OrganisationFacts caller, ListingFacts listing, VersionFacts version)
    {
        ArgumentNullException.ThrowIfNull(listing);
        var owner = listing.Owner == caller.Id;
        if (!caller.Active)
        {
            return CallVerdict.CallerSuspended;
        }

        if (!owner && !Admits(listing, caller.Id))
        {
            return CallVerdict.NotAdmitted;
        }

        if (!owner && version.Level > caller.Clearance)
        {
            return CallVerdict.NotCleared;
        }

        if (!listing.OwnerActive)
        {
            return CallVerdict.ProviderSuspended;
        }

        if (listing.Suspended || version.State == VersionState.Suspended)
        {
            return CallVerdict.Suspended;
        }

        return version.Live ? CallVerdict.Allowed : CallVerdict.NotLive;
    }

    private static bool Admits(ListingFacts listing, Guid organisation) => listing.Audience switch
    {
        AudienceKind.Public => true,
        AudienceKind.Organisations => listing.Admitted.Contains(organisation),
        AudienceKind.Private => false,
        _ => false,
    };
}
