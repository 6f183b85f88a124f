using System.Collections.Frozen;
using System.Collections.Immutable;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>How an organisation's answers are cached.</summary>
/// <param name="TimeToLiveSeconds">How long an answer is kept, in seconds.</param>
/// <param name="Services">Of which services, as <c>provider/service</c>; empty: of all.</param>
/// <param name="ChangedBy">Subject who set it last.</param>
/// <param name="ChangedAt">When.</param>
internal sealed record CacheSetting(int TimeToLiveSeconds, IReadOnlyList<string> Services, string ChangedBy, DateTimeOffset ChangedAt);

/// <summary>A setting as it is kept; without time to live once it was switched off, for mirrors follow changes, not absences.</summary>
internal sealed class CacheSettingRow
{
    public required Guid OrganisationId { get; init; }

    public int? TimeToLiveSeconds { get; set; }

    public required string[] Services { get; set; }

    public required string ChangedBy { get; set; }

    public required DateTimeOffset ChangedAt { get; set; }

    /// <summary>What was answered before is not to be kept any more; by PostgreSQL's clock.</summary>
    public DateTimeOffset? ErasedAt { get; set; }

    public CacheSetting? Setting => TimeToLiveSeconds is { } seconds ? new CacheSetting(seconds, Services, ChangedBy, ChangedAt) : null;
}

/// <summary>What calls know of a setting.</summary>
/// <param name="TimeToLive">How long an answer is kept.</param>
/// <param name="Services">Of which services; null: of all.</param>
internal sealed record CachePolicy(TimeSpan TimeToLive, FrozenSet<string>? Services);

/// <summary>The settings of all organisations that have switched their cache on, in memory.</summary>
internal sealed class CachePolicies
{
    private ImmutableDictionary<Guid, CachePolicy> policies = ImmutableDictionary<Guid, CachePolicy>.Empty;

    /// <summary>An organisation's; null: it has none.</summary>
    public CachePolicy? Of(Guid organisation) => Volatile.Read(ref policies).GetValueOrDefault(organisation);

    /// <summary>Takes settings that are new, changed or gone (null). One thread at a time.</summary>
    public void Apply(IEnumerable<(Guid Organisation, CachePolicy? Policy)> changed)
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

/// <summary>Keeps <see cref="CachePolicies"/> as PostgreSQL has them.</summary>
internal sealed class CacheSettingMirror(CachePolicies policies) : TableMirror<(Guid Organisation, CachePolicy? Policy)>
{
    public override string Table => "response_cache_settings";

    public override string Columns => "organisation_id, time_to_live_seconds, services";

    public override (Guid Organisation, CachePolicy? Policy) Read(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(1))
        {
            return (reader.GetGuid(0), null);
        }

        var services = reader.GetFieldValue<string[]>(2);
        return (reader.GetGuid(0), new CachePolicy(TimeSpan.FromSeconds(reader.GetInt32(1)), services.Length == 0 ? null : services.ToFrozenSet(StringComparer.Ordinal)));
    }

    public override void Apply(IReadOnlyList<(Guid Organisation, CachePolicy? Policy)> changed) => policies.Apply(changed);
}

/// <summary>What a setting may be.</summary>
internal static class CacheRules
{
    public const int DefaultSeconds = 3_600;
    public const int MaxSeconds = 7 * 24 * 3_600;

    /// <summary>Every instance keeps them in memory.</summary>
    public const int MaxServices = 100;

    public static IEnumerable<Issue> Check(int seconds, IReadOnlyList<string> services)
    {
        if (seconds is < 1 or > MaxSeconds)
        {
            yield return new Issue("invalid_time_to_live", "/timeToLiveSeconds", $"The time to live must lie between 1 and {MaxSeconds} seconds.");
        }

        if (services.Count > MaxServices)
        {
            yield return new Issue("too_many_services", "/services", $"At most {MaxServices} services can be named; without any all are cached.");
        }

        for (var i = 0; i < services.Count; i++)
        {
            if (!ModelName.TryParse(services[i], out var name) || name.Version is not null)
            {
                yield return new Issue("invalid_service", $"/services/{i}", "A service is named `provider/service`, without version.");
            }
        }
    }
}
