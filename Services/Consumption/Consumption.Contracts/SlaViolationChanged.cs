using System.Text.Json.Serialization;

namespace LlmMarketplace.Consumption.Contracts;

/// <summary>A provider's promise is not kept, became worse, or is kept again: told when it starts, when its severity rises, and when it ends.</summary>
/// <param name="ViolationId">UUID v7.</param>
/// <param name="ListingId">Whose promise.</param>
/// <param name="VersionId">Of which version.</param>
/// <param name="ProviderOrganisationId">Who promised.</param>
/// <param name="Model"><c>provider/service@version</c>.</param>
/// <param name="Metric">What was promised.</param>
/// <param name="Severity">How bad it became.</param>
/// <param name="Promised">The bound: milliseconds of <see cref="SlaMetric.Latency"/>, per cent of the others.</param>
/// <param name="Observed">The worst that was seen since it started, in the same unit.</param>
/// <param name="Calls">How many calls were looked at when <paramref name="Observed"/> was seen.</param>
/// <param name="Failures">Of these, the ones that the provider failed.</param>
/// <param name="StartedAt">When it was found.</param>
/// <param name="EndedAt">When it was found to be kept again; null: it goes on.</param>
/// <param name="Revision">1 when it starts, and one more each time it is told.</param>
public sealed record SlaViolationChanged(
    Guid ViolationId,
    Guid ListingId,
    Guid VersionId,
    Guid ProviderOrganisationId,
    string Model,
    SlaMetric Metric,
    SlaSeverity Severity,
    decimal Promised,
    decimal Observed,
    long Calls,
    long Failures,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndedAt,
    int Revision);

/// <summary>What a provider promises.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SlaMetric>))]
public enum SlaMetric
{
    /// <summary>No completed call of the last 5 minutes took longer: to the whole answer, or to the first byte of a stream.</summary>
    [JsonStringEnumMemberName("latency")] Latency,

    /// <summary>No more of the calls of the last 5 minutes failed.</summary>
    [JsonStringEnumMemberName("error-rate")] ErrorRate,

    /// <summary>At least so many of the calls of the month (UTC) so far did not fail.</summary>
    [JsonStringEnumMemberName("availability")] Availability,
}

/// <summary>How bad a violation is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SlaSeverity>))]
public enum SlaSeverity
{
    /// <summary>The promise is not kept.</summary>
    [JsonStringEnumMemberName("major")] Major,

    /// <summary>A call took more than twice as long as was promised.</summary>
    [JsonStringEnumMemberName("critical")] Critical,
}
