namespace LlmMarketplace.Consumption.Metering;

/// <summary>An admitted call whose outcome is not known yet; gone once it is settled. All that a settlement needs if we die.</summary>
internal sealed class AdmissionRow
{
    /// <summary>The call's id, UUID v7.</summary>
    public required Guid RequestId { get; init; }

    /// <summary>The instance that forwards it.</summary>
    public required Guid InstanceId { get; init; }

    public required Guid OrganisationId { get; init; }

    /// <summary>Of the counters that hold its reservation.</summary>
    public required long Generation { get; init; }

    public required Guid KeyId { get; init; }

    public required Guid ListingId { get; init; }

    public required Guid VersionId { get; init; }

    public required Guid ProviderOrganisationId { get; init; }

    /// <summary><c>provider/service</c>.</summary>
    public required string Service { get; init; }

    public required string Operation { get; init; }

    public required bool Streamed { get; init; }

    public required DateTimeOffset AdmittedAt { get; init; }

    /// <summary>UTC day by Redis's clock, yyyymmdd: the period that is charged.</summary>
    public required int Day { get; init; }

    public required long ReservedTokens { get; init; }

    public required long ReservedNanos { get; init; }

    /// <summary>Of the price in force, ISO 4217.</summary>
    public required string Currency { get; init; }

    /// <summary>µs in which the tier's bucket regains one token.</summary>
    public required double MicrosecondsPerToken { get; init; }

    /// <summary>Its claim of an idempotency key, <c>key body</c>; not in the usage log, for it dies with the instance.</summary>
    public string? Claim { get; init; }
}
