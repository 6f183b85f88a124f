using System.Security.Claims;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>Moves a published version on in its life, for its provider or an administrator. Moving it to where it is changes nothing and is no error.</summary>
internal sealed class VersionDesk(ListingDesk desk)
{
    public DateTimeOffset Now => desk.Now;

    /// <summary>Finds the version, asks <paramref name="refuse"/>, moves it, lets <paramref name="change"/> set what belongs to it, and announces it.</summary>
    public async Task<Results<Ok<VersionView>, ProblemHttpResult>> MoveAsync(
        ClaimsPrincipal caller,
        Guid listingId,
        string version,
        Func<ListingVersion, VersionStatus> next,
        string cause,
        Action<Listing, ListingVersion> change,
        bool ownerOnly,
        CancellationToken cancellationToken,
        Func<Listing, ListingVersion, ProblemHttpResult?>? refuse = null)
    {
        if (await desk.OpenAsync(listingId, cancellationToken).ConfigureAwait(false) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing) && (ownerOnly || !caller.IsOperator()))
        {
            return Refusals.NotYours;
        }

        if (listing.Versions.Find(one => one.Version == version) is not { } found)
        {
            return Refusals.NoVersion;
        }

        if (refuse?.Invoke(listing, found) is { } refused)
        {
            return refused;
        }

        var to = next(found);
        if (found.Status != to)
        {
            var from = found.Status;
            if (!found.TryBecome(to, desk.Now))
            {
                return Refusals.IllegalTransition(VersionLifecycle.Explain(from, to));
            }

            change(listing, found);
            desk.Announce(listing, cause);
            await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        return TypedResults.Ok(VersionView.Of(listing, found));
    }
}
