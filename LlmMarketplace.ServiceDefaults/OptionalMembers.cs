using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization.Metadata;
using Microsoft.OpenApi;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// The generator calls each parameter of a record required. In an answer that is so: every member is there, if as null. In a request a member that may be null may be left out, and generated clients must
/// not ask for it. So in whatever a request is made of, members that may be null are not required, but those that say <see cref="RequiredAttribute"/>.
/// </summary>
internal static class OptionalMembers
{
    private static readonly ConcurrentDictionary<string, IReadOnlyCollection<string>> Needed = new();

    /// <summary>Notes the members of a type that are needed all the same: they may be null only so that a refusal can say which is missing.</summary>
    public static void Note(string id, JsonTypeInfo type) =>
        Needed[id] = [.. type.Properties.Where(property => property.AttributeProvider?.IsDefined(typeof(RequiredAttribute), inherit: false) == true).Select(property => property.Name)];

    public static void Apply(OpenApiDocument document)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var bodies = document.Paths.Values.SelectMany(path => path.Operations?.Values.AsEnumerable() ?? []).SelectMany(operation => operation.RequestBody?.Content?.Values.AsEnumerable() ?? []);
        foreach (var body in bodies)
        {
            Visit(body.Schema, document, seen);
        }
    }

    private static void Visit(IOpenApiSchema? schema, OpenApiDocument document, HashSet<string> seen, IReadOnlyCollection<string>? needed = null)
    {
        if (schema is OpenApiSchemaReference { Reference.Id: { } id })
        {
            if (seen.Add(id))
            {
                Visit(document.Components!.Schemas![id], document, seen, Needed.GetValueOrDefault(id));
            }

            return;
        }

        if (schema is not OpenApiSchema own)
        {
            return;
        }

        foreach (var (name, member) in own.Properties ?? new Dictionary<string, IOpenApiSchema>())
        {
            if (MayBeNull(member) && needed?.Contains(name) != true)
            {
                own.Required?.Remove(name);
            }

            Visit(member, document, seen);
        }

        Visit(own.Items, document, seen);
        Visit(own.AdditionalProperties, document, seen);
        foreach (var part in (own.OneOf ?? []).Concat(own.AnyOf ?? []).Concat(own.AllOf ?? []))
        {
            Visit(part, document, seen);
        }
    }

    private static bool MayBeNull(IOpenApiSchema member) => member is not OpenApiSchemaReference
        && (member.Type?.HasFlag(JsonSchemaType.Null) == true || (member.OneOf ?? []).Concat(member.AnyOf ?? []).Any(part => part is not OpenApiSchemaReference && part.Type == JsonSchemaType.Null));
}
