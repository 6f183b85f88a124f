namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>A listing as Publishing last told it: our own copy, written by the event's handler alone.</summary>
internal sealed class ListingRow
{
    public required Guid ListingId { get; init; }

    /// <summary>The event's data, as JSON.</summary>
    public required string State { get; set; }
}

/// <summary>An organisation as Identity last told it: our own copy, written by the event's handler alone.</summary>
internal sealed class OrganisationRow
{
    public required Guid OrganisationId { get; init; }

    /// <summary>The event's data, as JSON.</summary>
    public required string State { get; set; }
}
