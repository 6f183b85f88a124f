using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Validation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// <c>PUT /api/v1/listings/{id}/versions/{version}/secret</c>: gives a published version another credential. Calls use it as soon as they hear of it; those under way end with the former one,
/// so keep that valid for a moment.
/// </summary>
internal static class RotateSecret
{
    private const int MaxLength = 8_192;

    /// <summary>The new credential.</summary>
    /// <param name="Secret">Written, never read.</param>
    internal sealed record Request([property: Required] string? Secret);

    public static void Map(RouteGroupBuilder listings) => listings.MapPut("/{id:guid}/versions/{version}/secret", HandleAsync).WithName("RotateSecret")
        .WithSummary("Give a version another credential");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, Request request, ClaimsPrincipal caller, ListingDesk desk, ProviderSecretProtector protector, CredentialFormats credentials, CancellationToken cancellationToken)
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

        if (request.Secret is not { Length: > 0 and <= MaxLength } secret)
        {
            return Problems.Invalid(new Issue(IssueCodes.SecretRequired, "/secret", $"It must be a string of 1 to {MaxLength} characters."));
        }

        if (found.Specification is not { Endpoint.Authentication: not EndpointAuthentication.None } || found.Status is VersionStatus.Rejected or VersionStatus.Retired)
        {
            return Refusals.NoCredentialTaken;
        }

        if (credentials.Check(found.Specification.Endpoint, secret, listing.Provider) is { } issue)
        {
            return Problems.Invalid(issue);
        }

        found.Secret = protector.Protect(found.Id, secret);
        found.ChangedAt = desk.Now;
        desk.Announce(listing, ChangeCauses.SecretRotated);
        await desk.CommitAsync(cancellationToken);
        return TypedResults.Ok(VersionView.Of(listing, found));
    }
}
