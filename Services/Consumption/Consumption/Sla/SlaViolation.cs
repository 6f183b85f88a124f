using LlmMarketplace.Consumption.Contracts;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>A promise that is or was not kept. Of a version and metric at most one has no end.</summary>
internal sealed class SlaViolation
{
    public required Guid Id { get; init; }

    public required Guid ListingId { get; init; }

    public required Guid VersionId { get; init; }

    public required Guid ProviderOrganisationId { get; init; }

    /// <summary><c>provider/service</c>.</summary>
    public required string Service { get; init; }

    public required string Version { get; init; }

    public required SlaMetric Metric { get; init; }

    public required SlaSeverity Severity { get; set; }

    public required decimal Promised { get; init; }

    /// <summary>The worst that was seen.</summary>
    public required decimal Observed { get; set; }

    /// <summary>Of the moment of <see cref="Observed"/>.</summary>
    public required long Calls { get; set; }

    public required long Failures { get; set; }

    public required DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; set; }

    public int Revision { get; set; } = 1;

    /// <summary>Whether <paramref name="seen"/> is worse than all before.</summary>
    public bool IsWorse(decimal seen) => Metric == SlaMetric.Availability ? seen < Observed : seen > Observed;

    public SlaViolationChanged ToEvent() => new(
        Id, ListingId, VersionId, ProviderOrganisationId, $"{Service}@{Version}", Metric, Severity, Promised, Observed, Calls, Failures, StartedAt, EndedAt, Revision);
}
