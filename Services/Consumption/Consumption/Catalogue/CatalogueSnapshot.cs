using System.Collections.Immutable;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>All that calls need to know of listings and organisations, as it was at one moment.</summary>
internal sealed record CatalogueSnapshot(
    ImmutableDictionary<string, Listing> Listings,
    ImmutableDictionary<Guid, Organisation> Organisations)
{
    public static CatalogueSnapshot Empty { get; } = new(
        ImmutableDictionary.Create<string, Listing>(StringComparer.Ordinal), ImmutableDictionary<Guid, Organisation>.Empty);

    /// <summary>An organisation that is not known yet (its event is on the way) is not active.</summary>
    public bool IsActive(Guid organisation) => Organisations.TryGetValue(organisation, out var found) && found.Active;
}

/// <summary>Holds the newest snapshot; replaced whole, so that a call sees one state from beginning to end.</summary>
internal sealed class Catalogue
{
    private CatalogueSnapshot current = CatalogueSnapshot.Empty;

    public CatalogueSnapshot Current => Volatile.Read(ref current);

    public void Apply(IEnumerable<Listing> listings) => Replace(snapshot =>
        snapshot with { Listings = snapshot.Listings.SetItems(listings.Select(listing => KeyValuePair.Create(listing.Name, listing))) });

    public void Apply(IEnumerable<Organisation> organisations) => Replace(snapshot =>
        snapshot with { Organisations = snapshot.Organisations.SetItems(organisations.Select(organisation => KeyValuePair.Create(organisation.Id, organisation))) });

    private void Replace(Func<CatalogueSnapshot, CatalogueSnapshot> change)
    {
        CatalogueSnapshot before;
        do
        {
            before = Current;
        }
        while (Interlocked.CompareExchange(ref current, change(before), before) != before);
    }
}
