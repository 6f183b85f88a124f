using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Versions;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Publishing.Listings;

/// <summary>
/// How listings are changed: the row is locked, so that changes and their events have one order, and what others must know is announced in the
/// transaction that changes it.
/// </summary>
internal sealed class ListingDesk(PublishingDb db, Outbox outbox, TimeProvider time)
{
    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>A listing with its versions, for reading.</summary>
    public Task<Listing?> FindAsync(Guid id, CancellationToken cancellationToken) => LoadAsync(db.Listings.AsNoTrackingWithIdentityResolution(), id, cancellationToken);

    /// <summary>A listing with its versions, locked until the transaction ends; begins one unless there is one.</summary>
    public async Task<Listing?> OpenAsync(Guid id, CancellationToken cancellationToken)
    {
        if (db.Database.CurrentTransaction is null)
        {
            await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        }

        var locked = await db.Database.SqlQuery<Guid>($"SELECT id AS \"Value\" FROM listings WHERE id = {id} FOR UPDATE").ToListAsync(cancellationToken).ConfigureAwait(false);
        return locked.Count == 0 ? null : await LoadAsync(db.Listings, id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Adds the event that tells others of a change, unless they know nothing of the listing yet.</summary>
    public void Announce(Listing listing, string cause)
    {
        listing.Revision++;
        listing.ChangedAt = Now;
        if (listing.Versions.Any(version => VersionLifecycle.LeftTheDesk.Contains(version.Status)))
        {
            outbox.Add(db, listing.Id, listing.Revision, ToEvent(listing, cause));
        }
    }

    /// <summary>Adds the event that tells others of a version's OpenAPI document: once, for it never changes.</summary>
    public void AnnounceDocument(ListingVersion version) => outbox.Add(
        db, version.Id, 1, new OpenApiDocumentPublished(version.Id, version.ListingId, version.Specification!.OpenApiSha256!, version.OpenApi!));

    /// <summary>Saves and ends the transaction that <see cref="OpenAsync"/> began.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        if (db.Database.CurrentTransaction is { } transaction)
        {
            await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<Listing?> LoadAsync(IQueryable<Listing> listings, Guid id, CancellationToken cancellationToken) =>
        await listings.Include(listing => listing.Versions).ThenInclude(version => version.Approval).AsSplitQuery()
            .SingleOrDefaultAsync(listing => listing.Id == id, cancellationToken).ConfigureAwait(false);

    private static ListingChanged ToEvent(Listing listing, string cause) => new(
        listing.Id,
        listing.OrganisationId,
        listing.Provider,
        listing.Name,
        listing.Suspended,
        listing.Visibility,
        cause,
        [
            .. listing.Versions.Where(version => VersionLifecycle.LeftTheDesk.Contains(version.Status)).OrderBy(version => version.Id).Select(version => new PublishedVersion(
                version.Id,
                version.Version,
                listing.StatusOf(version),
                version.Specification!,
                version.Secret,
                version.Approval?.ToRequest(),
                version.PublishedAt,
                version.SunsetAt,
                [.. version.Credentials.Select(one => new PublishedCredential(one.Name, one.Endpoint, one.Secret))])),
        ],
        listing.CreatedAt,
        listing.ChangedAt);
}

/// <summary>Values of <see cref="ListingChanged.Cause"/>.</summary>
internal static class ChangeCauses
{
    public const string Published = "published";
    public const string ApprovalRequested = "approval_requested";
    public const string Rejected = "rejected";
    public const string Deprecated = "deprecated";
    public const string Suspended = "suspended";
    public const string Resumed = "resumed";
    public const string Retired = "retired";
    public const string VisibilityChanged = "visibility_changed";
    public const string SecretRotated = "secret_rotated";
    public const string CredentialsChanged = "credentials_changed";
}
