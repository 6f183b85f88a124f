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

/// <summary><c>PUT /api/v1/listings/{id}/versions/{version}</c>: rewrites a draft, or one that the pipeline refused. Without <c>endpoint.secret</c> the credential stays; null removes it.</summary>
internal static class ReplaceVersion
{
    public static void Map(RouteGroupBuilder listings) => listings.MapPut("/{id:guid}/versions/{version}", HandleAsync).WithName("ReplaceVersion")
        .Accepts<ServiceDeclaration>("application/json").WithSummary("Rewrite a draft");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, DeclarationBody body, ClaimsPrincipal caller, ListingDesk desk, ProviderSecretProtector protector, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing))
        {
            return Refusals.NotYours;
        }

        if (listing.Versions.Find(one => one.Version == version) is not { } found)
        {
            return Refusals.NoVersion;
        }

        if (body.Refusal is { } refusal)
        {
            return refusal;
        }

        if (body.Version is not null && body.Version != found.Version)
        {
            return Problems.Invalid(new Issue("version_mismatch", "/version", $"The address says {found.Version}: draft another version instead."));
        }

        if (!VersionLifecycle.Editable.Contains(found.Status))
        {
            return Problems.Conflict("not_editable", $"A version that is {WireNames<VersionStatus>.Of(found.Status)} cannot be rewritten: draft a new version.");
        }

        found.Document = body.Document;
        found.OpenApi = body.OpenApi;
        found.Specification = null;
        found.ChangedAt = desk.Now;
        if (body.NamesSecret)
        {
            found.Secret = body.Secret is null ? null : protector.Protect(found.Id, body.Secret);
        }

        await desk.CommitAsync(cancellationToken);
        return TypedResults.Ok(VersionView.Of(listing, found));
    }
}
