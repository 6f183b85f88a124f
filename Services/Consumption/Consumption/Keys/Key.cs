using System.Collections.Immutable;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Limits;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>A key as calls see it.</summary>
internal sealed record Key(
    Guid Id, string Identifier, byte[] Hash, byte[]? PreviousHash, DateTimeOffset? PreviousUntil, Guid OrganisationId, string Name, DateTimeOffset? ExpiresAt, DateTimeOffset? SuspendedAt,
    DateTimeOffset? RevokedAt, KeyScopes Scopes, KeyLimits Limits, Budget? Budget, long Version, DateTimeOffset? CallsEndedAt = null)
{
    /// <summary>As the limits see it.</summary>
    public Account Account { get; } = Account.OfKey(Id, Version, Limits, Budget);
}

/// <summary>All keys and the organisations' budgets in memory; replaced whole by every change.</summary>
internal sealed class KeyRing
{
    private ImmutableDictionary<string, Key> keys = ImmutableDictionary.Create<string, Key>(StringComparer.Ordinal);
    private ImmutableDictionary<Guid, Budget> budgets = ImmutableDictionary<Guid, Budget>.Empty;

    public Key? Find(string identifier) => Volatile.Read(ref keys).GetValueOrDefault(identifier);

    public Budget? BudgetOf(Guid organisation) => Volatile.Read(ref budgets).GetValueOrDefault(organisation);

    /// <summary>Takes keys that are new or changed. One thread at a time: the mirror's.</summary>
    public void Apply(IEnumerable<Key> changed) => Volatile.Write(ref keys, keys.SetItems(changed.Select(key => KeyValuePair.Create(key.Identifier, key))));

    /// <summary>Takes budgets that are new, changed or gone (null).</summary>
    public void Apply(IEnumerable<KeyValuePair<Guid, Budget?>> changed)
    {
        var next = budgets.ToBuilder();
        foreach (var (organisation, budget) in changed)
        {
            if (budget is null)
            {
                next.Remove(organisation);
            }
            else
            {
                next[organisation] = budget;
            }
        }

        Volatile.Write(ref budgets, next.ToImmutable());
    }
}
