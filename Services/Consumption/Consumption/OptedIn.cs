using System.Collections.Immutable;

namespace LlmMarketplace.Consumption;

/// <summary>What organisations have switched on for themselves, in memory: for all others a call pays one look.</summary>
/// <typeparam name="TPolicy">What calls know of an organisation's setting.</typeparam>
internal sealed class OptedIn<TPolicy>
    where TPolicy : class
{
    private ImmutableDictionary<Guid, TPolicy> policies = ImmutableDictionary<Guid, TPolicy>.Empty;

    /// <summary>An organisation's; null: it has none.</summary>
    public TPolicy? Of(Guid organisation) => Volatile.Read(ref policies).GetValueOrDefault(organisation);

    /// <summary>Takes settings that are new, changed or gone (null). One thread at a time.</summary>
    public void Apply(IEnumerable<(Guid Organisation, TPolicy? Policy)> changed)
    {
        var all = policies.ToBuilder();
        foreach (var (organisation, policy) in changed)
        {
            if (policy is null)
            {
                all.Remove(organisation);
            }
            else
            {
                all[organisation] = policy;
            }
        }

        Volatile.Write(ref policies, all.ToImmutable());
    }
}
