using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Discovery.Search;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Discovery.Listings;

/// <summary><c>GET /api/v1/services/{id}</c> and <c>GET /api/v1/services/by-name/{provider}/{service}</c>. What the caller may not see does not exist.</summary>
internal static class GetListing
{
    /// <param name="Id">The listing.</param>
    /// <param name="Name">What a call puts in <c>model</c>.</param>
    /// <param name="Provider">Who offers it.</param>
    /// <param name="Suspended">Whether all of it is suspended; only its owner sees that.</param>
    /// <param name="Current">The version that stands for it before the caller; null when its owner sees a listing of which no version left the desk.</param>
    /// <param name="Versions">What the caller may see, newest first.</param>
    /// <param name="CreatedAt">When it was created.</param>
    /// <param name="ChangedAt">When it last changed.</param>
    internal sealed record Response(
        Guid Id, string Name, ProviderSummary Provider, bool Suspended, string? Current, IReadOnlyList<Version> Versions, DateTimeOffset CreatedAt, DateTimeOffset ChangedAt);

    /// <summary>A version in full, except for what only a call needs.</summary>
    internal sealed record Version(
        Guid Id,
        [property: System.Text.Json.Serialization.JsonPropertyName("version")] string Number,
        VersionState Status,
        string Description,
        string Category,
        IReadOnlyList<string> Tags,
        IReadOnlyList<Capability> Capabilities,
        EndpointProtocol Protocol,
        ModelFacts Model,
        ViewerPrice Price,
        ServicePricing Pricing,
        ServiceLevel Sla,
        ComplianceFacts Compliance,
        string? Documentation,
        IReadOnlyList<ServiceExample> Examples,
        string? OpenApiSha256,
        DateTimeOffset? PublishedAt,
        DateTimeOffset? SunsetAt);

    public static async Task<Results<Ok<Response>, ProblemHttpResult>> ById(Guid id, ClaimsPrincipal caller, Viewers viewers, DiscoveryContext database, OrganisationMirror organisations, CancellationToken cancellationToken) =>
        Answer(await database.Listings.AsNoTracking().SingleOrDefaultAsync(listing => listing.ListingId == id, cancellationToken), viewers.Of(caller), organisations);

    public static async Task<Results<Ok<Response>, ProblemHttpResult>> ByName(
        string provider, string service, ClaimsPrincipal caller, Viewers viewers, DiscoveryContext database, OrganisationMirror organisations, CancellationToken cancellationToken) =>
        Answer(await database.Listings.AsNoTracking().SingleOrDefaultAsync(listing => listing.Provider == provider && listing.Name == service, cancellationToken), viewers.Of(caller), organisations);

    private static Results<Ok<Response>, ProblemHttpResult> Answer(ListingRow? row, Viewer viewer, OrganisationMirror organisations)
    {
        if (row is null)
        {
            return Problems.NotFound("The service");
        }

        var facts = Listing.FactsOf(row.OrganisationId, row.Suspended, row.Audience, row.Admitted) with { OwnerActive = organisations.IsActive(row.OrganisationId) };
        if (!Entitlements.MaySee(viewer.Organisation, facts, [.. row.Versions.Select(version => version.Facts())]))
        {
            return Problems.NotFound("The service");
        }

        var visible = row.Versions.Where(version => Entitlements.MaySeeVersion(viewer.Organisation, facts, version.Facts())).ToList();
        var owner = row.OrganisationId == viewer.Organisation.Id;
        var current = Faces.Choose(visible).FirstOrDefault(face => owner ? face.ForOwner : face.ClearedFrom <= viewer.Organisation.Clearance && viewer.Organisation.Clearance <= face.ClearedTo);
        return TypedResults.Ok(new Response(
            row.ListingId,
            $"{row.Provider}/{row.Name}",
            new ProviderSummary(row.Provider, organisations.Find(row.OrganisationId)?.Name ?? row.Provider),
            row.Suspended,
            current?.Version.Version,
            [.. visible.AsEnumerable().Reverse().Select(version => Show(version, row.Suspended, viewer))],
            row.CreatedAt,
            row.ChangedAt));
    }

    private static Version Show(VersionDocument version, bool suspended, Viewer viewer)
    {
        var s = version.Specification;
        var facts = version.Facts();
        return new Version(
            version.VersionId, version.Version, suspended && facts.Live ? VersionState.Suspended : facts.State, s.Description, s.Category, s.Tags, s.Capabilities, s.Endpoint.Protocol, s.Model,
            Prices.For(s.Pricing, viewer.Tier), s.Pricing, s.Sla, s.Compliance, s.Documentation, s.Examples, s.OpenApiSha256, version.PublishedAt, version.SunsetAt);
    }
}
