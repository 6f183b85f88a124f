using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions</c>: drafts a version. Repeating it answers 409 DUPLICATE_VERSION with the version's id.</summary>
internal static class CreateVersion
{
    /// <summary>Drafts cost room, and nobody needs more.</summary>
    private const int MostVersions = 1_000;

    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/{id:guid}/versions", HandleAsync).WithName("CreateVersion")
        .Accepts<ServiceDeclaration>("application/json").WithSummary("Draft a version");

    private static async Task<Results<Created<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, DeclarationBody body, ClaimsPrincipal caller, PublishingDb db, ListingDesk desk, ProviderSecretProtector protector, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing))
        {
            return Refusals.NotYours;
        }

        if (body.Refusal is { } refusal)
        {
            return refusal;
        }

        if (!VersionRule.TryParse(body.Version, out var semantic))
        {
            return Problems.Invalid(new Issue(IssueCodes.InvalidVersionMetadata, "/version", "The version must be SemVer 2.0.0 without build metadata, for instance 1.2.0 or 2.0.0-rc.1."));
        }

        if (listing.Versions.Find(other => other.Version == semantic.ToString()) is { } existing)
        {
            return Problems.Of(
                StatusCodes.Status409Conflict,
                IssueCodes.DuplicateVersion,
                $"The listing already has a version {existing.Version}.",
                new KeyValuePair<string, object?>("versionId", existing.Id),
                new KeyValuePair<string, object?>("versionStatus", existing.Status));
        }

        if (listing.Versions.Count >= MostVersions)
        {
            return Problems.Conflict("too_many_versions", $"A listing has at most {MostVersions} versions.");
        }

        var version = Draft(listing, semantic.ToString(), body, protector, desk.Now);
        db.Versions.Add(version);
        listing.Revision++;
        await desk.CommitAsync(cancellationToken);
        return TypedResults.Created($"/api/v1/listings/{id}/versions/{version.Version}", VersionView.Of(listing, version));
    }

    private static ListingVersion Draft(Listing listing, string version, DeclarationBody body, ProviderSecretProtector protector, DateTimeOffset now)
    {
        var id = Guid.CreateVersion7();
        return new ListingVersion
        {
            Id = id,
            ListingId = listing.Id,
            Version = version,
            Document = body.Document,
            OpenApi = body.OpenApi,
            Secret = body.Secret is null ? null : protector.Protect(id, body.Secret),
            CreatedAt = now,
            ChangedAt = now,
        };
    }
}
