using System.Text.Json;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>A call of a <c>rest</c> service that was found right, as its provider is sent it.</summary>
/// <param name="ListingId">The service.</param>
/// <param name="Method">HTTP method.</param>
/// <param name="Path">Path and query, below the provider's base address.</param>
/// <param name="Headers">Headers that the operation declares.</param>
/// <param name="Body">A part of the caller's body, byte for byte; null: there is none.</param>
/// <param name="MediaType">The body's.</param>
internal sealed record Invocation(Guid ListingId, HttpMethod Method, string Path, IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte>? Body, string? MediaType);

/// <summary>What <c>POST /api/v1/services/{id}/invoke</c> takes. The operation is named by its id, or by method and path, and may be left out where the service has only one.</summary>
/// <param name="Version">A version or its first one or two numbers; null: the newest stable one.</param>
/// <param name="OperationId">The operation's <c>operationId</c> in the service's OpenAPI document.</param>
/// <param name="Method">HTTP method of the operation.</param>
/// <param name="Path">Its path as the document writes it: <c>/texts/{language}</c>.</param>
/// <param name="Parameters">The operation's parameters of path and query, by their names.</param>
/// <param name="Headers">The operation's header parameters, by their names.</param>
/// <param name="Body">The operation's body; the provider is sent it as it stands here.</param>
internal sealed record InvokeBody(
    string? Version = null, string? OperationId = null, string? Method = null, string? Path = null, IReadOnlyDictionary<string, JsonElement>? Parameters = null,
    IReadOnlyDictionary<string, JsonElement>? Headers = null, JsonElement? Body = null);
