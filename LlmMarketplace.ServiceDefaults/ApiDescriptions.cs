using System.Collections.Concurrent;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// Carries doc comments of requests and responses into the API's document, so that what the code says of a member is what its user reads. The compiler writes them
/// into a file beside each assembly (ECMA-334, annex D); members of positional records are the parameters of their type.
/// </summary>
internal static partial class ApiDescriptions
{
    // What the schema generator knows of a member whose schema stands elsewhere: the first marks it, the second is said beside the reference.
    private const string SchemaId = "x-schema-id";
    private const string BesideReference = "x-ref-description";

    private static readonly ConcurrentDictionary<Assembly, IReadOnlyDictionary<string, XElement>> Comments = new();

    /// <summary>Describes a schema, or one member of one.</summary>
    public static Task DescribeAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        schema.AdditionalPropertiesAllowed = true; // Answers may come to have more members; requests are told of each that is not known.
        if (type == typeof(decimal))
        {
            schema.Format = "decimal"; // Money is exact; https://spec.openapis.org/registry/format/decimal
        }
        else if (type.IsEnum && schema.Enum is { Count: > 0 })
        {
            schema.Type ??= JsonSchemaType.String;
        }

        if (context.JsonPropertyInfo is not { } property)
        {
            schema.Description ??= Summary(type);
            if (ApiDocumentExtensions.SchemaId(context.JsonTypeInfo) is { } id)
            {
                OptionalMembers.Note(id, context.JsonTypeInfo);
            }
        }
        else if (property.AttributeProvider is PropertyInfo member && OfMember(member) is { } text)
        {
            if (schema.Metadata?.TryGetValue(SchemaId, out var id) == true && id is string { Length: > 0 })
            {
                schema.Metadata[BesideReference] = text;
            }
            else
            {
                schema.Description ??= text;
            }
        }

        return Task.CompletedTask;
    }

    private static string? Summary(Type type) => Text(Find(type, "T:" + Name(type))?.Element("summary"));

    private static string? OfMember(PropertyInfo member)
    {
        var type = member.DeclaringType!;
        return Text(Find(type, "T:" + Name(type))?.Elements("param").FirstOrDefault(param => (string?)param.Attribute("name") == member.Name))
            ?? Text(Find(type, $"P:{Name(type)}.{member.Name}")?.Element("summary"));
    }

    private static string Name(Type type) => (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!.Replace('+', '.');

    private static XElement? Find(Type type, string name) => Comments.GetOrAdd(type.Assembly, Read).GetValueOrDefault(name);

    private static Dictionary<string, XElement> Read(Assembly assembly)
    {
        var file = Path.ChangeExtension(assembly.Location, ".xml");
        return assembly.GetName().Name!.StartsWith(nameof(LlmMarketplace), StringComparison.Ordinal) && File.Exists(file)
            ? XDocument.Load(file).Descendants("member").ToDictionary(member => (string)member.Attribute("name")!)
            : [];
    }

    private static string? Text(XElement? comment)
    {
        if (comment is null)
        {
            return null;
        }

        var text = new StringBuilder();
        foreach (var node in comment.Nodes())
        {
            text.Append(node switch
            {
                XText plain => plain.Value,
                XElement { Name.LocalName: "c" } code => $"`{code.Value}`",
                XElement element => (string?)element.Attribute("cref") is { } reference ? reference[(reference.LastIndexOf('.') + 1)..]
                    : (string?)element.Attribute("name") ?? (string?)element.Attribute("langword") ?? element.Value,
                _ => "",
            });
        }

        return Blanks().Replace(text.ToString(), " ").Trim() is { Length: > 0 } said ? said : null;
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
