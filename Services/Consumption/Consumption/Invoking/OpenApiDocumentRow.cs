namespace LlmMarketplace.Consumption.Invoking;

/// <summary>The OpenAPI document of a version, as Publishing told it: our own copy, written by the event's handler alone. It never changes.</summary>
internal sealed class OpenApiDocumentRow
{
    public required Guid VersionId { get; init; }

    /// <summary>Its very text.</summary>
    public required string Document { get; init; }
}
