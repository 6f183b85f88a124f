using System.Text.Json;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>What an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html) says that can be called. Its <c>servers</c> are passed over: the listing's addresses are what counts.</summary>
internal sealed class RestApi
{
    private const int MostHops = 16;
    private static readonly string[] Methods = ["get", "put", "post", "delete", "patch", "head", "options"];

    private RestApi(IReadOnlyList<RestOperation> operations) => Operations = operations;

    public IReadOnlyList<RestOperation> Operations { get; }

    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="FormatException">It is JSON, and no such document.</exception>
    public static RestApi Read(string document)
    {
        var root = JsonElement.Parse(document);
        var operations = new List<RestOperation>();
        foreach (var path in Members(Member(root, "paths")))
        {
            var item = Follow(root, path.Value);
            foreach (var method in Methods)
            {
                if (Member(item, method) is { ValueKind: JsonValueKind.Object } operation)
                {
                    operations.Add(Read(root, path.Name, method, item, operation));
                }
            }
        }

        return new RestApi(operations);
    }

    /// <summary>A member; undefined when it is not there.</summary>
    public static JsonElement Member(JsonElement at, string name) => at.ValueKind == JsonValueKind.Object && at.TryGetProperty(name, out var member) ? member : default;

    private static RestOperation Read(JsonElement root, string path, string method, JsonElement item, JsonElement operation)
    {
        var parameters = new Dictionary<(string Name, string In), RestParameter>();
        foreach (var declared in Items(Member(item, "parameters")).Concat(Items(Member(operation, "parameters"))))
        {
            var parameter = RestParameter.Read(root, Follow(root, declared));
            parameters[(parameter.Name, parameter.In)] = parameter;
        }

        return new RestOperation(root, Text(Member(operation, "operationId")), method.ToUpperInvariant(), path, [.. parameters.Values], Follow(root, Member(operation, "requestBody")));
    }

    /// <summary>What a reference leads to, within the document.</summary>
    private static JsonElement Follow(JsonElement root, JsonElement at)
    {
        for (var hop = 0; Text(Member(at, "$ref")) is { } reference; hop++)
        {
            at = hop < MostHops && reference.StartsWith("#/", StringComparison.Ordinal) ? JsonPointers.Find(root, reference[1..]) : default;
            if (at.ValueKind == JsonValueKind.Undefined)
            {
                throw new FormatException($"{reference} leads to nothing within the OpenAPI document.");
            }
        }

        return at;
    }

    public static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static JsonElement.ArrayEnumerator Items(JsonElement list) => list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : default;

    private static JsonElement.ObjectEnumerator Members(JsonElement at) => at.ValueKind == JsonValueKind.Object ? at.EnumerateObject() : default;
}

/// <summary>JSON Pointers (RFC 6901).</summary>
internal static class JsonPointers
{
    /// <summary>A member's name as a step of a pointer.</summary>
    public static string Step(string name) => "/" + name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>What a pointer in a URI fragment leads to; undefined: nothing.</summary>
    public static JsonElement Find(JsonElement root, string pointer)
    {
        foreach (var step in pointer.Split('/').Skip(1))
        {
            var name = Uri.UnescapeDataString(step).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            root = root.ValueKind == JsonValueKind.Array
                ? int.TryParse(name, out var index) && index >= 0 && index < root.GetArrayLength() ? root[index] : default
                : RestApi.Member(root, name);
        }

        return root;
    }
}
