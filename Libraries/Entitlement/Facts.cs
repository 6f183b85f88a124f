using System.Collections.Frozen;

namespace LlmMarketplace.Entitlement;

/// <summary>How confidential a version is, and how far an organisation is cleared; ordered, lowest first. Named as the compliance levels of the specification.</summary>
public enum ClearanceLevel
{
    /// <summary>For everybody.</summary>
    Public,

    /// <summary>For internal use.</summary>
    Internal,

    /// <summary>Confidential.</summary>
    Confidential,

    /// <summary>Restricted.</summary>
    Restricted,
}

/// <summary>Where a version stands in its life. Named as in the events, so that one name turns into the other by <c>Enum.Parse</c>.</summary>
public enum VersionState
{
    /// <summary>Being written.</summary>
    Draft,

    /// <summary>In the pipeline.</summary>
    Validating,

    /// <summary>Refused by the pipeline.</summary>
    FailedValidation,

    /// <summary>Waits for a person.</summary>
    PendingApproval,

    /// <summary>Refused by a person.</summary>
    Rejected,

    /// <summary>Callable.</summary>
    Active,

    /// <summary>Callable until its sunset.</summary>
    Deprecated,

    /// <summary>Not callable for now.</summary>
    Suspended,

    /// <summary>Never callable again.</summary>
    Retired,
}

/// <summary>Whom a listing's owner admits. Named as in the events.</summary>
public enum AudienceKind
{
    /// <summary>Every organisation.</summary>
    Public,

    /// <summary>Those listed.</summary>
    Organisations,

    /// <summary>Nobody else.</summary>
    Private,
}

/// <summary>The organisation that looks or calls.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Clearance">The highest level that it may see of others.</param>
/// <param name="Active">False while it is suspended.</param>
public readonly record struct OrganisationFacts(Guid Id, ClearanceLevel Clearance, bool Active);

/// <summary>What is the same for all versions of a listing.</summary>
/// <param name="Owner">The organisation that published it.</param>
/// <param name="OwnerActive">False while that organisation is suspended.</param>
/// <param name="Suspended">True: all its versions are suspended, whatever each of them says.</param>
/// <param name="Audience">Whom the owner admits.</param>
/// <param name="Admitted">The organisations admitted by <see cref="AudienceKind.Organisations"/>.</param>
public sealed record ListingFacts(Guid Owner, bool OwnerActive, bool Suspended, AudienceKind Audience, FrozenSet<Guid> Admitted);

/// <summary>What differs from version to version.</summary>
/// <param name="State">Where it stands in its life.</param>
/// <param name="Level">How confidential it is.</param>
public readonly record struct VersionFacts(VersionState State, ClearanceLevel Level)
{
    /// <summary>Active or deprecated: what others than the owner can have dealings with.</summary>
    public bool Live => State is VersionState.Active or VersionState.Deprecated;
}

/// <summary>Whether a call may go through, or the first reason why not.</summary>
public enum CallVerdict
{
    /// <summary>It may.</summary>
    Allowed,

    /// <summary>The caller's organisation is suspended.</summary>
    CallerSuspended,

    /// <summary>The owner admits the caller's organisation not: to the caller the listing does not exist.</summary>
    NotAdmitted,

    /// <summary>The version's level is above the caller's clearance: to the caller it does not exist.</summary>
    NotCleared,

    /// <summary>The provider's organisation is suspended.</summary>
    ProviderSuspended,

    /// <summary>The listing, or this version of it, is suspended.</summary>
    Suspended,

    /// <summary>The version has never been published, or is retired.</summary>
    NotLive,
}
