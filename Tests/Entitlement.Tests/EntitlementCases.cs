namespace LlmMarketplace.Entitlement.Tests;

/// <summary>
/// The table of cases of who may see and call what. Linked into the tests of every service that decides by it:
/// <c>&lt;Compile Include="../Entitlement.Tests/EntitlementCases.cs" Link="EntitlementCases.cs" /&gt;</c>. Each case has one listing and one looker.
/// </summary>
internal sealed record EntitlementCase(string Name, OrganisationFacts Viewer, ListingFacts Listing, VersionFacts[] Versions, bool Sees, CallVerdict[] Calls)
{
    public static readonly Guid Owner = new("01920000-0000-7000-8000-000000000001");
    public static readonly Guid Friend = new("01920000-0000-7000-8000-000000000002");
    public static readonly Guid Stranger = new("01920000-0000-7000-8000-000000000003");

    private static readonly VersionFacts Active = new(VersionState.Active, ClearanceLevel.Public);
    private static readonly ListingFacts Open = new(Owner, OwnerActive: true, Suspended: false, AudienceKind.Public, []);
    private static readonly ListingFacts Shared = Open with { Audience = AudienceKind.Organisations, Admitted = [Friend] };
    private static readonly ListingFacts Private = Open with { Audience = AudienceKind.Private };

    public static IReadOnlyList<EntitlementCase> All { get; } =
    [
        new("public and active", Looker(Stranger), Open, [Active], true, [CallVerdict.Allowed]),
        new("deprecated is still there", Looker(Stranger), Open, [Of(VersionState.Deprecated)], true, [CallVerdict.Allowed]),
        .. new[] { VersionState.Draft, VersionState.Validating, VersionState.FailedValidation, VersionState.PendingApproval, VersionState.Rejected, VersionState.Retired }.SelectMany(state => new EntitlementCase[]
        {
            new($"{state}, seen by a stranger", Looker(Stranger), Open, [Of(state)], false, [CallVerdict.NotLive]),
            new($"{state}, seen by its owner", Looker(Owner), Open, [Of(state)], true, [CallVerdict.NotLive]),
        }),
        new("suspended version, stranger", Looker(Stranger), Open, [Of(VersionState.Suspended)], false, [CallVerdict.Suspended]),
        new("suspended version, owner", Looker(Owner), Open, [Of(VersionState.Suspended)], true, [CallVerdict.Suspended]),
        new("suspended listing hides its active versions", Looker(Stranger), Open with { Suspended = true }, [Active], false, [CallVerdict.Suspended]),
        new("suspended listing, owner", Looker(Owner), Open with { Suspended = true }, [Active], true, [CallVerdict.Suspended]),
        new("one live version is enough", Looker(Stranger), Open, [Of(VersionState.Retired), Active, Of(VersionState.PendingApproval)], true, [CallVerdict.NotLive, CallVerdict.Allowed, CallVerdict.NotLive]),
        new("no version left the desk, stranger", Looker(Stranger), Open, [], false, []),
        new("no version left the desk, owner", Looker(Owner), Open, [], true, []),

        new("shared with the viewer", Looker(Friend), Shared, [Active], true, [CallVerdict.Allowed]),
        new("shared with somebody else", Looker(Stranger), Shared, [Active], false, [CallVerdict.NotAdmitted]),
        new("shared with others, owner", Looker(Owner), Shared, [Active], true, [CallVerdict.Allowed]),
        new("shared, but with nobody", Looker(Friend), Shared with { Admitted = [] }, [Active], false, [CallVerdict.NotAdmitted]),
        new("a list that does not count admits nobody", Looker(Friend), Private with { Admitted = [Friend] }, [Active], false, [CallVerdict.NotAdmitted]),
        new("private, stranger", Looker(Stranger), Private, [Active], false, [CallVerdict.NotAdmitted]),
        new("private, owner", Looker(Owner), Private, [Active], true, [CallVerdict.Allowed]),

        .. from clearance in Enum.GetValues<ClearanceLevel>()
           from level in Enum.GetValues<ClearanceLevel>()
           let cleared = level <= clearance
           select new EntitlementCase($"{level} before an eye cleared for {clearance}", Looker(Stranger, clearance), Open, [Active with { Level = level }], cleared, [cleared ? CallVerdict.Allowed : CallVerdict.NotCleared]),
        new("owners need no clearance for their own", Looker(Owner), Open, [Active with { Level = ClearanceLevel.Restricted }], true, [CallVerdict.Allowed]),
        new("an invitation does not replace clearance", Looker(Friend), Shared, [Active with { Level = ClearanceLevel.Internal }], false, [CallVerdict.NotCleared]),
        new("clearance does not replace an invitation", Looker(Stranger, ClearanceLevel.Restricted), Shared, [Active], false, [CallVerdict.NotAdmitted]),
        new("each version by its own level", Looker(Stranger, ClearanceLevel.Internal), Open, [Active, Active with { Level = ClearanceLevel.Confidential }], true, [CallVerdict.Allowed, CallVerdict.NotCleared]),
        new("the version within clearance is not live", Looker(Stranger), Open, [Of(VersionState.Retired), Active with { Level = ClearanceLevel.Confidential }], false, [CallVerdict.NotLive, CallVerdict.NotCleared]),

        new("suspended viewer", Looker(Stranger) with { Active = false }, Open, [Active], false, [CallVerdict.CallerSuspended]),
        new("suspended viewer before its own", Looker(Owner) with { Active = false }, Open with { OwnerActive = false }, [Active], true, [CallVerdict.CallerSuspended]),
        new("suspended provider", Looker(Stranger), Open with { OwnerActive = false }, [Active], false, [CallVerdict.ProviderSuspended]),
        new("what is hidden stays hidden when its provider is suspended", Looker(Stranger), Private with { OwnerActive = false, Suspended = true }, [Active], false, [CallVerdict.NotAdmitted]),
    ];

    private static OrganisationFacts Looker(Guid id, ClearanceLevel clearance = ClearanceLevel.Public) => new(id, clearance, Active: true);

    private static VersionFacts Of(VersionState state) => new(state, ClearanceLevel.Public);
}
