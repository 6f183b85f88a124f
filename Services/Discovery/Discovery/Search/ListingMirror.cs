using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Embedding;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Discovery.Search;

/// <summary>A face as the mirror reads it.</summary>
internal sealed record MirroredFace(Guid VersionId, bool Deleted, Listing Listing, byte[] Embedding);

/// <summary>
/// Every face in memory, and its vector in one contiguous block: a search reads them all, in order, and that is exact. Searches share a read lock;
/// a change takes the write lock for the time of copying a row.
/// </summary>
internal sealed class ListingMirror(OrganisationMirror organisations) : TableMirror<MirroredFace>, IDisposable
{
    private const int Width = SentenceEmbedder.Dimensions;

    private readonly ReaderWriterLockSlim access = new();
    private readonly Dictionary<Guid, int> slots = [];
    private readonly Stack<int> free = [];
    private Listing?[] listings = new Listing?[256];
    private float[] vectors = new float[256 * Width];
    private int used;

    public override string Table => "listing_faces";

    public override string Columns =>
        "version_id, deleted, listing_id, organisation_id, suspended, audience, admitted, state, level, cleared_from, cleared_to, for_owner, provider, name, document, created_at, changed_at, embedding";

    public override MirroredFace Read(NpgsqlDataReader reader) => new(
        reader.GetGuid(0),
        reader.GetBoolean(1),
        new Listing(
            reader.GetGuid(2),
            Listing.FactsOf(reader.GetGuid(3), reader.GetBoolean(4), Wire<AudienceKind>.Parse(reader.GetString(5)), reader.GetFieldValue<Guid[]>(6)),
            new VersionFacts(Wire<VersionState>.Parse(reader.GetString(7)), (ClearanceLevel)reader.GetInt32(8)),
            reader.IsDBNull(9) ? null : (ClearanceLevel)reader.GetInt32(9),
            reader.IsDBNull(10) ? null : (ClearanceLevel)reader.GetInt32(10),
            reader.GetBoolean(11),
            reader.GetString(12),
            reader.GetString(13),
            JsonSerializer.Deserialize<VersionDocument>(reader.GetString(14), Json.Options)!,
            reader.GetFieldValue<DateTimeOffset>(15),
            reader.GetFieldValue<DateTimeOffset>(16)),
        reader.GetFieldValue<byte[]>(17));

    public override void Apply(IReadOnlyList<MirroredFace> changed)
    {
        access.EnterWriteLock();
        try
        {
            foreach (var face in changed)
            {
                if (face.Deleted)
                {
                    Remove(face.VersionId);
                }
                else
                {
                    Put(face);
                }
            }
        }
        finally
        {
            access.ExitWriteLock();
        }
    }

    /// <summary>Visits what the viewer is shown: each listing at most once, with its cosine to <paramref name="query"/> (0 without one).</summary>
    public void Visit(Viewer viewer, float[]? query, Action<Listing, float> visit)
    {
        access.EnterReadLock();
        try
        {
            for (var slot = 0; slot < used; slot++)
            {
                if (listings[slot] is { } listing && listing.IsShownTo(viewer, organisations.IsActive(listing.Facts.Owner)))
                {
                    visit(listing, query is null ? 0 : TensorPrimitives.Dot<float>(query, vectors.AsSpan(slot * Width, Width)));
                }
            }
        }
        finally
        {
            access.ExitReadLock();
        }
    }

    /// <summary>The vector of a version, or null when no face has it.</summary>
    public float[]? Vector(Guid versionId)
    {
        access.EnterReadLock();
        try
        {
            return slots.TryGetValue(versionId, out var slot) ? vectors.AsSpan(slot * Width, Width).ToArray() : null;
        }
        finally
        {
            access.ExitReadLock();
        }
    }

    public void Dispose() => access.Dispose();

    private void Put(MirroredFace face)
    {
        if (!slots.TryGetValue(face.VersionId, out var slot))
        {
            slot = free.TryPop(out var freed) ? freed : used++;
            if (slot == listings.Length)
            {
                Array.Resize(ref listings, listings.Length * 2);
                Array.Resize(ref vectors, vectors.Length * 2);
            }

            slots.Add(face.VersionId, slot);
        }

        listings[slot] = face.Listing;
        MemoryMarshal.Cast<byte, float>(face.Embedding).CopyTo(vectors.AsSpan(slot * Width, Width));
    }

    private void Remove(Guid versionId)
    {
        if (slots.Remove(versionId, out var slot))
        {
            listings[slot] = null;
            free.Push(slot);
        }
    }
}
