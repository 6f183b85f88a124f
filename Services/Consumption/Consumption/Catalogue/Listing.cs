using System.Collections.Frozen;
using System.Globalization;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;
using Semver;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>A listing as calls see it: immutable, its versions in the order in which they are preferred.</summary>
internal sealed class Listing
{
    private readonly ListingFacts whileOwnerActive;
    private readonly ListingFacts whileOwnerSuspended;

    public Listing(ListingChanged state)
    {
        Id = state.ListingId;
        OrganisationId = state.OrganisationId;
        Provider = state.Provider;
        Name = $"{state.Provider}/{state.Name}";
        CreatedAt = state.CreatedAt;
        whileOwnerActive = new ListingFacts(
            state.OrganisationId, OwnerActive: true, state.Suspended, Enum.Parse<AudienceKind>(state.Visibility.Kind.ToString()), state.Visibility.Organisations.ToFrozenSet());
        whileOwnerSuspended = whileOwnerActive with { OwnerActive = false };
        Versions = [.. state.Versions.Select(version => new ListedVersion(this, version)).Order()];
    }

    public Guid Id { get; }

    public Guid OrganisationId { get; }

    public string Provider { get; }

    /// <summary><c>provider/service</c>.</summary>
    public string Name { get; }

    public DateTimeOffset CreatedAt { get; }

    /// <summary>Active before deprecated before the rest, stable before pre-release, high before low.</summary>
    public IReadOnlyList<ListedVersion> Versions { get; }

    public ListingFacts Facts(bool ownerActive) => ownerActive ? whileOwnerActive : whileOwnerSuspended;
}

/// <summary>A version as calls see it.</summary>
internal sealed class ListedVersion : IComparable<ListedVersion>
{
    private readonly PublishedVersion state;
    private readonly string dotted;

    public ListedVersion(Listing listing, PublishedVersion state)
    {
        this.state = state;
        Listing = listing;
        Number = SemVersion.Parse(state.Version, SemVersionStyles.Strict);
        dotted = string.Create(CultureInfo.InvariantCulture, $"{Number.Major}.{Number.Minor}.{Number.Patch}.");
        Facts = new VersionFacts(Enum.Parse<VersionState>(state.Status.ToString()), Enum.Parse<ClearanceLevel>(state.Specification.Compliance.Level, ignoreCase: true));
        var endpoint = state.Specification.Endpoint;
        ListedCredential[] credentials = endpoint.Authentication == EndpointAuthentication.None ? [] :
        [
            .. state.Secret is { } secret ? [new ListedCredential(state.VersionId, PublishedCredential.Default, null, secret)] : Array.Empty<ListedCredential>(),
            .. (state.Credentials ?? []).Select(one => new ListedCredential(state.VersionId, one.Name, one.Endpoint, one.Secret)),
        ];
        Endpoints =
        [
            new ListedEndpoint(ServiceEndpoint.Primary, Address(endpoint.Url), endpoint.Weight, endpoint.Residency, For(ServiceEndpoint.Primary)),
            .. (endpoint.Replicas ?? []).Select(replica => new ListedEndpoint(replica.Name, Address(replica.Url), replica.Weight, replica.Residency, For(replica.Name))),
        ];

        IReadOnlyList<ListedCredential> For(string address) => PublishedCredential.For(address, credentials, one => one.Endpoint);
    }

    public Listing Listing { get; }

    public Guid Id => state.VersionId;

    public SemVersion Number { get; }

    /// <summary>The same as text.</summary>
    public string NumberText => state.Version;

    public VersionFacts Facts { get; }

    public ServiceSpecification Specification => state.Specification;

    /// <summary>Where it is called; the first one is the endpoint itself.</summary>
    public IReadOnlyList<ListedEndpoint> Endpoints { get; }

    public DateTimeOffset? SunsetAt => state.Status == VersionStatus.Deprecated ? state.SunsetAt : null;

    /// <summary>Whether <paramref name="range"/> names this version: in full, or by its first one or two numbers.</summary>
    public bool Matches(string? range) =>
        range is null || state.Version == range || (dotted.StartsWith(range + ".", StringComparison.Ordinal) && range.Split('.').Length < 3);

    public int CompareTo(ListedVersion? other)
    {
        if (other is null)
        {
            return -1;
        }

        var byState = Rank(Facts.State).CompareTo(Rank(other.Facts.State));
        var byStability = Number.IsPrerelease.CompareTo(other.Number.IsPrerelease);
        return byState != 0 ? byState : byStability != 0 ? byStability : -Number.ComparePrecedenceTo(other.Number);
    }

    private static Uri Address(string url) => new(url.TrimEnd('/') + "/", UriKind.Absolute);

    private static int Rank(VersionState state) => state switch
    {
        VersionState.Active => 0,
        VersionState.Deprecated => 1,
        VersionState.Suspended => 2,
        VersionState.Retired => 3,
        _ => 4,
    };
}

/// <summary>An address of a version.</summary>
/// <param name="Name">Unique within the version.</param>
/// <param name="Url">Base address, with a slash at its end.</param>
/// <param name="Weight">Share of calls; 0: only when all others fail.</param>
/// <param name="Residency">Country code of where it is served, or null.</param>
/// <param name="Credentials">Those that it may be sent; empty: it takes none.</param>
internal sealed record ListedEndpoint(string Name, Uri Url, int Weight, string? Residency, IReadOnlyList<ListedCredential> Credentials);
