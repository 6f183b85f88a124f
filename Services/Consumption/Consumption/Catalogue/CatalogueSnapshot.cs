using System.Collections.Immutable;
using LlmMarketplace.Consumption.Aliases;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>All that calls need to know of listings and organisations, as it was at one moment.</summary>
internal sealed record CatalogueSnapshot(
    ImmutableDictionary<string, Listing> Listings,
    ImmutableDictionary<Guid, Organisation> Organisations)
{
    public static CatalogueSnapshot Empty { get; } = new(
        ImmutableDictionary.Create<string, Listing>(StringComparer.Ordinal), ImmutableDictionary<Guid, Organisation>.Empty);

    private ImmutableDictionary<Guid, string> Names { get; init; } = ImmutableDictionary<Guid, string>.Empty;

    /// <summary>A listing by its id; null: there is none.</summary>
    public Listing? Find(Guid id) => Names.TryGetValue(id, out var name) ? Listings[name] : null;

    /// <summary>The same with these listings, new or changed.</summary>
    public CatalogueSnapshot With(IReadOnlyCollection<Listing> listings) => this with
    {
        Listings = Listings.SetItems(listings.Select(listing => KeyValuePair.Create(listing.Name, listing))),
        Names = Names.SetItems(listings.Select(listing => KeyValuePair.Create(listing.Id, listing.Name))),
    };

    /// <summary>What organisations call models, by organisation and name.</summary>
    public ImmutableDictionary<Guid, ImmutableDictionary<string, Alias>> Aliases { get; init; } = ImmutableDictionary<Guid, ImmutableDictionary<string, Alias>>.Empty;

    /// <summary>An organisation that is not known yet (its event is on the way) is not active.</summary>
    public bool IsActive(Guid organisation) => Organisations.TryGetValue(organisation, out var found) && found.Active;
}

/// <summary>Holds the newest snapshot; replaced whole, so that a call sees one state from beginning to end.</summary>
internal sealed class Catalogue
{
    private CatalogueSnapshot current = CatalogueSnapshot.Empty;

    public CatalogueSnapshot Current => Volatile.Read(ref current);

    public void Apply(IReadOnlyCollection<Listing> listings) => Replace(snapshot => snapshot.With(listings));

    public void Apply(IEnumerable<Organisation> organisations) => Replace(snapshot =>
        snapshot with { Organisations = snapshot.Organisations.SetItems(organisations.Select(organisation => KeyValuePair.Create(organisation.Id, organisation))) });

    /// <summary>Takes aliases that are new, changed or gone (null).</summary>
    public void Apply(IEnumerable<(Guid Organisation, string Name, Alias? Alias)> aliases) => Replace(snapshot =>
    {
        var all = snapshot.Aliases.ToBuilder();
        foreach (var (organisation, name, alias) in aliases)
        {
            var own = all.GetValueOrDefault(organisation) ?? ImmutableDictionary.Create<string, Alias>(StringComparer.Ordinal);
            all[organisation] = alias is null ? own.Remove(name) : own.SetItem(name, alias);
        }

        return snapshot with { Aliases = all.ToImmutable() };
    });

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
