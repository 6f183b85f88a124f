using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>Changes the credentials of a draft, or of a published version, for its provider. A published version keeps one for each of its addresses.</summary>
internal sealed class CredentialDesk(ListingDesk desk)
{
    public DateTimeOffset Now => desk.Now;

    /// <summary>The version, locked; or why its credentials are not the caller's to change.</summary>
    public async Task<(Listing? Listing, ListingVersion? Version, ProblemHttpResult? Refusal)> OpenAsync(ClaimsPrincipal caller, Guid listingId, string version, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(listingId, cancellationToken).ConfigureAwait(false) is not { } listing || !caller.MaySee(listing))
        {
            return (null, null, Refusals.NoListing);
        }

        if (!caller.Owns(listing))
        {
            return (null, null, Refusals.NotYours);
        }

        if (listing.Versions.Find(one => one.Version == version) is not { } found)
        {
            return (null, null, Refusals.NoVersion);
        }

        var takesSome = found.Status is not (VersionStatus.Rejected or VersionStatus.Retired)
            && (VersionLifecycle.Editable.Contains(found.Status) || found.Specification is { Endpoint.Authentication: not EndpointAuthentication.None });
        return takesSome ? (listing, found, null) : (null, null, Refusals.NoCredentialTaken);
    }

    /// <summary>Keeps what was changed and tells it, unless an address of a published version were left without credential.</summary>
    public async Task<Results<Ok<VersionView>, ProblemHttpResult>> CommitAsync(Listing listing, ListingVersion version, CancellationToken cancellationToken)
    {
        if (!VersionLifecycle.Editable.Contains(version.Status) && NamedCredential.Uncovered(version.Specification!.Endpoint.AddressNames(), version.CredentialNames).FirstOrDefault() is { } bare)
        {
            return Problems.Conflict("last_credential", $"The address {bare} would be left without credential: give it another one first.");
        }

        version.ChangedAt = desk.Now;
        desk.Announce(listing, ChangeCauses.CredentialsChanged);
        await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(VersionView.Of(listing, version));
    }
}
