namespace LlmMarketplace.Publishing.Contracts;

/// <summary>
/// The OpenAPI document of a version of the protocol <c>rest</c>, told once, in the transaction that makes the version active: what is published is never changed. On a topic of
/// its own, keyed by version id: <see cref="ListingChanged"/> tells every change of a listing, and would carry all its documents each time.
/// </summary>
/// <param name="VersionId">UUID v7 of the version.</param>
/// <param name="ListingId">UUID v7 of its listing.</param>
/// <param name="Sha256">Lower-case hex SHA-256 of the document's text in UTF-8, as in <see cref="ServiceSpecification.OpenApiSha256"/>.</param>
/// <param name="Document">The OpenAPI 3.1 document's very text, in JSON.</param>
public sealed record OpenApiDocumentPublished(Guid VersionId, Guid ListingId, string Sha256, string Document);
