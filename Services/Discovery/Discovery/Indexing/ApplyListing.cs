using System.Buffers.Binary;
using LlmMarketplace.Embedding;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Messaging;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>Puts a listing's state into the catalogue: the row for its detail, and a face for each range of clearances. Texts are embedded again only when they changed.</summary>
internal sealed class ApplyListing(DiscoveryContext database, SentenceEmbedder embedder) : IEventHandler<ListingChanged>
{
    public async Task HandleAsync(ListingChanged data, EventContext context, CancellationToken cancellationToken)
    {
        var row = await database.Listings.FindAsync([data.ListingId], cancellationToken);
        if (row is null)
        {
            row = new ListingRow { ListingId = data.ListingId, Provider = data.Provider, Name = data.Name, Admitted = [], Versions = [] };
            database.Listings.Add(row);
        }
        else if (row.Version >= context.AggregateVersion)
        {
            return;
        }

        row.OrganisationId = data.OrganisationId;
        row.Provider = data.Provider;
        row.Name = data.Name;
        row.Suspended = data.Suspended;
        row.Audience = Enum.Parse<AudienceKind>(data.Visibility.Kind.ToString());
        row.Admitted = [.. data.Visibility.Organisations];
        row.Versions = [.. data.Versions.Select(VersionDocument.Of)];
        row.CreatedAt = data.CreatedAt;
        row.ChangedAt = data.ChangedAt;
        row.Version = context.AggregateVersion;

        var known = await database.Faces.Where(face => face.ListingId == data.ListingId).ToDictionaryAsync(face => face.VersionId, cancellationToken);
        foreach (var face in Faces.Choose(row.Versions))
        {
            known.Remove(face.Version.VersionId, out var existing);
            await ShowAsync(row, face, existing, cancellationToken);
        }

        foreach (var gone in known.Values)
        {
            gone.Deleted = true;
        }
    }

    private async Task ShowAsync(ListingRow listing, Face face, FaceRow? row, CancellationToken cancellationToken)
    {
        var meaning = ListingText.ForMeaning(listing.Name, face.Version);
        var hash = ListingText.Hash(meaning);
        if (row is null)
        {
            row = new FaceRow
            {
                VersionId = face.Version.VersionId, ListingId = listing.ListingId, Provider = "", Name = "", Admitted = [], Document = face.Version,
                NameText = "", DescriptionText = "", TagsText = "", CapabilitiesText = "", Embedding = [], EmbeddingHash = [],
            };
            database.Faces.Add(row);
        }

        if (!row.EmbeddingHash.AsSpan().SequenceEqual(hash))
        {
            row.Embedding = Bytes((await embedder.EmbedAsync(meaning, cancellationToken)).Vector);
            row.EmbeddingHash = hash;
        }

        (row.State, row.Level) = face.Version.Facts();
        row.Deleted = false;
        row.OrganisationId = listing.OrganisationId;
        row.Provider = listing.Provider;
        row.Name = listing.Name;
        row.Suspended = listing.Suspended;
        row.Audience = listing.Audience;
        row.Admitted = listing.Admitted;
        row.ClearedFrom = face.ClearedFrom;
        row.ClearedTo = face.ClearedTo;
        row.ForOwner = face.ForOwner;
        // Long texts are for the detail page: the mirror in memory does without.
        row.Document = face.Version with { Specification = face.Version.Specification with { Documentation = null, Examples = [] } };
        row.CreatedAt = listing.CreatedAt;
        row.ChangedAt = listing.ChangedAt;
        row.NameText = ListingText.Name(listing.Provider, listing.Name);
        row.DescriptionText = face.Version.Specification.Description;
        row.TagsText = ListingText.Tags(face.Version);
        row.CapabilitiesText = ListingText.Capabilities(face.Version);
    }

    private static byte[] Bytes(float[] vector)
    {
        var bytes = new byte[vector.Length * sizeof(float)];
        for (var i = 0; i < vector.Length; i++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        }

        return bytes;
    }
}
