using System.Collections.Frozen;
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

/// <summary>Keeps the settings of those who switched it on as PostgreSQL has them.</summary>
internal sealed class CacheSettingMirror(OptedIn<CachePolicy> policies) : TableMirror<(Guid Organisation, CachePolicy? Policy)>
{
    public override string Table => "response_cache_settings";

    public override string Columns => "organisation_id, time_to_live_seconds, services";

    public override (Guid Organisation, CachePolicy? Policy) Read(NpgsqlDataReader reader)
    {
        if (reader.IsDBNull(1))
        {
            return (reader.GetGuid(0), null);
        }

        return (reader.GetGuid(0), new CachePolicy(TimeSpan.FromSeconds(reader.GetInt32(1)), NamedServices.Of(reader.GetFieldValue<string[]>(2))));
    }

    public override void Apply(IReadOnlyList<(Guid Organisation, CachePolicy? Policy)> changed) => policies.Apply(changed);
}

/// <summary>What a setting may be.</summary>
internal static class CacheRules
{
    public const int DefaultSeconds = 3_600;
    public const int MaxSeconds = 7 * 24 * 3_600;

    public static IEnumerable<Issue> Check(int seconds, IReadOnlyList<string> services)
    {
        if (seconds is < 1 or > MaxSeconds)
        {
            yield return new Issue("invalid_time_to_live", "/timeToLiveSeconds", $"The time to live must lie between 1 and {MaxSeconds} seconds.");
        }

        foreach (var issue in NamedServices.Check(services, "all are cached"))
        {
            yield return issue;
        }
    }
}
