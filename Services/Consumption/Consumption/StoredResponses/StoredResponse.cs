namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>
/// Where a response is kept that its provider stores (<c>store</c>, which is true unless said otherwise). Providers know one caller, the marketplace; whose a response is, is
/// known here.
/// </summary>
internal sealed class StoredResponse
{
    public required Guid OrganisationId { get; init; }

    /// <summary>The provider's own id, which the caller has too.</summary>
    public required string ResponseId { get; init; }

    public required Guid ListingId { get; init; }

    public required Guid VersionId { get; init; }

    /// <summary>Name of the version's address that answered.</summary>
    public required string Endpoint { get; init; }

    /// <summary>Name of the provider's credential that made it; null: there was none, or it is older than this member.</summary>
    public string? Credential { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
}
