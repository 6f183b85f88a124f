using System.Text.Json;
using NJsonSchema;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>
/// INVALID_PARAMETER_SCHEMA: the parameters of a capability are a JSON Schema (draft 2020-12) that stands on its own. References lead into
/// the same schema: nothing is fetched on a provider's word.
/// </summary>
internal sealed class ParameterSchemaRule : ISpecificationRule
{
    private const int MostErrors = 20;

    private static readonly Lazy<Task<JsonSchema>> Metaschema = new(async () =>
    {
        using var resource = typeof(ParameterSchemaRule).Assembly.GetManifestResourceStream($"{typeof(ParameterSchemaRule).Namespace}.json-schema-2020-12.json")!;
        using var reader = new StreamReader(resource);
        return await JsonSchema.FromJsonAsync(await reader.ReadToEndAsync().ConfigureAwait(false)).ConfigureAwait(false);
    });

    public async Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        var metaschema = await Metaschema.Value.ConfigureAwait(false);
        foreach (var (at, capability) in declaration.Capabilities)
        {
            if (capability.Parameters is not { } schema)
            {
                continue;
            }

            var parameters = at.At("parameters", schema);
            if (schema.ValueKind != JsonValueKind.Object)
            {
                parameters.Report(IssueCodes.InvalidParameterSchema, "It must be a JSON Schema object.");
                continue;
            }

            foreach (var error in metaschema.Validate(schema.GetRawText()).SelectMany(Leaves).Distinct().Take(MostErrors))
            {
                parameters.Report(IssueCodes.InvalidParameterSchema, error);
            }

            foreach (var error in References(schema, schema).Distinct().Take(MostErrors))
            {
                parameters.Report(IssueCodes.InvalidParameterSchema, error);
            }
        }
    }

    /// <summary>The errors themselves, not the "anyOf failed" around them.</summary>
    private static IEnumerable<string> Leaves(NJsonSchema.Validation.ValidationError error) => error is NJsonSchema.Validation.ChildSchemaValidationError parent
        ? parent.Errors.Values.SelectMany(inner => inner).SelectMany(Leaves)
        : [$"{(string.IsNullOrEmpty(error.Path) ? "#" : error.Path)}: {error.Kind}"];

    private static IEnumerable<string> References(JsonElement root, JsonElement at)
    {
        if (at.ValueKind == JsonValueKind.Array)
        {
            return at.EnumerateArray().SelectMany(item => References(root, item));
        }

        return at.ValueKind != JsonValueKind.Object ? [] : at.EnumerateObject().SelectMany(member => member.Name switch
        {
            "$ref" or "$dynamicRef" when member.Value.ValueKind == JsonValueKind.String => Resolves(root, member.Value.GetString()!) ? [] : [$"{member.Name} {member.Value.GetString()} leads to nothing within this schema."],
            "const" or "enum" or "default" or "examples" => [],
            _ => References(root, member.Value),
        });
    }

    private static bool Resolves(JsonElement root, string reference)
    {
        if (reference is "#")
        {
            return true;
        }

        if (!reference.StartsWith("#/", StringComparison.Ordinal))
        {
            return reference.StartsWith('#') && Anchors(root).Contains(reference[1..]);
        }

        foreach (var step in Uri.UnescapeDataString(reference[2..]).Split('/'))
        {
            var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (root.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index) && index >= 0 && index < root.GetArrayLength())
            {
                root = root[index];
            }
            else if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty(name, out root))
            {
                return false;
            }
        }

        return root.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False;
    }

    private static IEnumerable<string> Anchors(JsonElement at) => at.ValueKind switch
    {
        JsonValueKind.Array => at.EnumerateArray().SelectMany(Anchors),
        JsonValueKind.Object => at.EnumerateObject().SelectMany(member =>
            member.Name is "$anchor" or "$dynamicAnchor" && member.Value.ValueKind == JsonValueKind.String ? [member.Value.GetString()!] : Anchors(member.Value)),
        _ => [],
    };
}
