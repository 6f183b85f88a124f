using System.Net.Http.Headers;
using System.Text.Json;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>One operation of an API.</summary>
internal sealed class RestOperation
{
    private readonly Lazy<(BodySchema? Schema, string? Gap)> body;

    /// <param name="root">The document.</param>
    /// <param name="id">Its <c>operationId</c>, or null.</param>
    /// <param name="method">In capitals.</param>
    /// <param name="path">As the document writes it: <c>/texts/{language}</c>.</param>
    /// <param name="parameters">Those of its path among them.</param>
    /// <param name="requestBody">As the document declares it; undefined: it takes none.</param>
    public RestOperation(JsonElement root, string? id, string method, string path, IReadOnlyList<RestParameter> parameters, JsonElement requestBody)
    {
        (Id, Method, Path, Parameters) = (id, method, path, parameters);
        TakesBody = requestBody.ValueKind == JsonValueKind.Object;
        NeedsBody = RestApi.Member(requestBody, "required").ValueKind == JsonValueKind.True;
        var content = RestApi.Member(requestBody, "content");
        var json = content.ValueKind == JsonValueKind.Object ? content.EnumerateObject().FirstOrDefault(type => IsJson(type.Name)) : default;
        (MediaType, var declared) = json.Value.ValueKind == JsonValueKind.Undefined ? (null, default) : (json.Name.Contains('*', StringComparison.Ordinal) ? "application/json" : json.Name, RestApi.Member(json.Value, "schema"));
        body = new(() => BodySchema.TryRead(root, declared, out var schema, out var gap) ? (schema, null) : (null, gap));
    }

    public string? Id { get; }

    public string Method { get; }

    public string Path { get; }

    public IReadOnlyList<RestParameter> Parameters { get; }

    public bool TakesBody { get; }

    public bool NeedsBody { get; }

    /// <summary>The body's media type, a kind of JSON; null when it takes none, or none in JSON.</summary>
    public string? MediaType { get; }

    /// <summary>What the body must be; null: anything.</summary>
    public BodySchema? Body => body.Value.Schema;

    /// <summary>Why it cannot be called through the marketplace; null: it can.</summary>
    public string? Gap =>
        TakesBody && MediaType is null ? "its body is not JSON"
        : body.Value.Gap ?? Parameters.Select(parameter => parameter.Gap).FirstOrDefault(gap => gap is not null);

    /// <summary>For people: its id, or method and path.</summary>
    public override string ToString() => Id ?? $"{Method} {Path}";

    private static bool IsJson(string mediaType)
    {
        var type = mediaType.Split(';')[0].Trim();
        return MediaTypeHeaderValue.TryParse(mediaType, out _) && (type is "application/json" or "*/*" or "application/*" || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase));
    }
}
