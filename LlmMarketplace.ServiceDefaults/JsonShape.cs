using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>What a place of a JSON document must be, in words.</summary>
internal sealed partial class JsonShape(Type type, JsonSerializerOptions options)
{
    private readonly JsonTypeInfo info = options.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type);

    /// <summary>The names of the members that it may be given; none when it is no object with members of its own.</summary>
    public IReadOnlyList<string> Members => info.Kind == JsonTypeInfoKind.Object ? [.. info.Properties.Where(property => property.AssociatedParameter is not null || property.Set is not null).Select(property => property.Name)] : [];

    /// <summary>For instance <c>a whole number</c>.</summary>
    public string Expected => info.Kind switch
    {
        JsonTypeInfoKind.Object => $"an object with {string.Join(", ", Members)}",
        JsonTypeInfoKind.Dictionary => "an object",
        JsonTypeInfoKind.Enumerable => "an array",
        _ when info.Type.IsEnum => $"one of {string.Join(", ", Enum.GetValues(info.Type).Cast<object>().Select(value => JsonSerializer.Serialize(value, info)))}",
        _ => OfClrName(info.Type.Name),
    };

    /// <summary>What stands below it; null when that is not known.</summary>
    public JsonShape? At(ReadOnlySpan<string> path)
    {
        if (path.Length == 0)
        {
            return this;
        }

        var name = path[0];
        var next = info.Kind == JsonTypeInfoKind.Object
            ? info.Properties.FirstOrDefault(property => string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase))?.PropertyType
            : info.ElementType;
        return next is null ? null : new JsonShape(next, info.Options).At(path[1..]);
    }

    /// <summary>The same for a parameter, by the name that C# has for its type.</summary>
    public static string OfClrName(string type) => type.TrimEnd('?').Replace("Nullable<", "", StringComparison.Ordinal).TrimEnd('>') switch
    {
        "string" or nameof(String) => "a string",
        "bool" or nameof(Boolean) => "true or false",
        "int" or "long" or nameof(Int32) or nameof(Int64) => "a whole number",
        "decimal" or "double" or nameof(Decimal) or nameof(Double) => "a number",
        nameof(DateTimeOffset) or nameof(DateTime) => "a time (RFC 3339), for instance 2026-11-01T00:00:00Z",
        nameof(DateOnly) => "a day, for instance 2026-11-01",
        nameof(Guid) => "a UUID",
        nameof(Uri) => "an address",
        _ => "of another form",
    };

    /// <summary>The names and indexes in a path as the reader of JSON tells it: <c>$.a[0]['b c']</c>.</summary>
    public static string[] Segments(string? path) =>
        [.. Segment().Matches(path ?? "").Select(match => match.Groups["name"].Success ? match.Groups["name"].Value : match.Groups["index"].Success ? match.Groups["index"].Value : match.Groups["quoted"].Value)];

    /// <summary>JSON Pointer (RFC 6901).</summary>
    public static string Pointer(ReadOnlySpan<string> segments)
    {
        var pointer = "";
        foreach (var segment in segments)
        {
            pointer += "/" + segment.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
        }

        return pointer;
    }

    [GeneratedRegex("""\.(?<name>[^.\[]+)|\[(?<index>\d+)\]|\['(?<quoted>[^']*)'\]""")]
    private static partial Regex Segment();
}
