using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>INVALID_OPENAPI: listings of the protocol rest carry an OpenAPI 3.1 document, and a document that is there is right.</summary>
internal sealed class OpenApiRule : ISpecificationRule
{
    private const int MostErrors = 20;

    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        var at = root.At("openApi", default);
        if (subject.OpenApi is null)
        {
            if (declaration.Protocol == EndpointProtocol.Rest)
            {
                at.Report(IssueCodes.InvalidOpenApi, "A service of the protocol rest needs an OpenAPI 3.1 document.");
            }

            return Task.CompletedTask;
        }

        // References to other documents are not followed: the marketplace fetches nothing on a provider's word.
        foreach (var error in Read(subject.OpenApi).Take(MostErrors))
        {
            at.Report(IssueCodes.InvalidOpenApi, error);
        }

        return Task.CompletedTask;
    }

    /// <summary>Lower-case hex SHA-256 of the document's text in UTF-8.</summary>
    public static string? Sha256(string? document) => document is null ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(document)));

    private static IEnumerable<string> Read(string document)
    {
        // The reader throws at what does not even look like such a document.
        var root = JsonElement.Parse(document);
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("openapi", out var version) || version.ValueKind != JsonValueKind.String || !version.GetString()!.StartsWith("3.1.", StringComparison.Ordinal))
        {
            return ["It must be an OpenAPI 3.1 document (openapi: 3.1.x)."];
        }

        ReadResult result;
        try
        {
            result = OpenApiDocument.Parse(document, OpenApiConstants.Json, new OpenApiReaderSettings { LoadExternalRefs = false });
        }
        catch (Exception unreadable) when (unreadable is OpenApiException or JsonException or InvalidOperationException or ArgumentException or FormatException)
        {
            // Some faults it throws instead of reporting them.
            return [unreadable.Message];
        }

        if (result.Document is null || result.Diagnostic?.SpecificationVersion != OpenApiSpecVersion.OpenApi3_1)
        {
            return [.. result.Diagnostic?.Errors.Select(error => error.Message) ?? [], "It must be an OpenAPI 3.1 document (openapi: 3.1.x)."];
        }

        return result.Diagnostic.Errors.Select(error => error.Pointer is { Length: > 0 } pointer ? $"{pointer}: {error.Message}" : error.Message);
    }
}
