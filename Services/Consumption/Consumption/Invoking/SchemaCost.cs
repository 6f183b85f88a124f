using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>A value cannot be checked with reasonable effort.</summary>
internal sealed class SchemaTooCostlyException : Exception;

/// <summary>
/// Counts, before a value is checked, how often the check would look at a schema: a schema may lead to itself without end, or to itself twice at every level, and a pattern may take
/// for ever. Each place of the value meets each schema that could apply to it; alternatives are all counted.
/// </summary>
internal sealed class SchemaCost(JsonElement root)
{
    private const int MostSteps = 200_000;
    private const int MostDepth = 600;
    private static readonly TimeSpan LongestPattern = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPatterns = TimeSpan.FromSeconds(2);
    private static readonly string[] Lists = ["allOf", "anyOf", "oneOf"];
    private static readonly string[] Singles = ["not", "if", "then", "else"];
    private static readonly string[] Dependent = ["dependentSchemas", "dependencies"];
    private static readonly string[] OfItems = ["items", "additionalItems", "contains", "unevaluatedItems"];
    private static readonly string[] OfMembers = ["additionalProperties", "unevaluatedProperties"];

    private int steps;
    private TimeSpan patterns;

    /// <exception cref="SchemaTooCostlyException">It is more than a call may take.</exception>
    public void Count(JsonElement value) => Visit(root, value, 0);

    private void Visit(JsonElement schema, JsonElement value, int depth)
    {
        if (++steps > MostSteps || depth > MostDepth)
        {
            throw new SchemaTooCostlyException();
        }

        if (schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        if (RestApi.Text(RestApi.Member(schema, "$ref")) is { } reference)
        {
            Visit(JsonPointers.Find(root, reference[1..]), value, depth + 1);
        }

        foreach (var one in Lists.Select(name => RestApi.Member(schema, name)).Where(list => list.ValueKind == JsonValueKind.Array).SelectMany(list => list.EnumerateArray())
            .Concat(Singles.Select(name => RestApi.Member(schema, name))).Concat(Dependent.SelectMany(name => Members(RestApi.Member(schema, name))).Select(member => member.Value)))
        {
            Visit(one, value, depth + 1);
        }

        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                VisitMembers(schema, value, depth);
                break;
            case JsonValueKind.Array:
                VisitItems(schema, value, depth);
                break;
            case JsonValueKind.String when RestApi.Text(RestApi.Member(schema, "pattern")) is { } pattern:
                Try(pattern, value.GetString()!);
                break;
        }
    }

    private void VisitMembers(JsonElement schema, JsonElement value, int depth)
    {
        var (named, patterned, names) = (RestApi.Member(schema, "properties"), RestApi.Member(schema, "patternProperties"), RestApi.Member(schema, "propertyNames"));
        foreach (var member in value.EnumerateObject())
        {
            Visit(RestApi.Member(named, member.Name), member.Value, depth + 1);
            foreach (var pattern in Members(patterned))
            {
                Try(pattern.Name, member.Name);
                Visit(pattern.Value, member.Value, depth + 1);
            }

            foreach (var keyword in OfMembers)
            {
                Visit(RestApi.Member(schema, keyword), member.Value, depth + 1);
            }

            if (names.ValueKind == JsonValueKind.Object)
            {
                Visit(names, JsonSerializer.SerializeToElement(member.Name), depth + 1);
            }
        }
    }

    private void VisitItems(JsonElement schema, JsonElement value, int depth)
    {
        var prefix = RestApi.Member(schema, "prefixItems");
        var position = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (prefix.ValueKind == JsonValueKind.Array && position < prefix.GetArrayLength())
            {
                Visit(prefix[position], item, depth + 1);
            }

            foreach (var keyword in OfItems)
            {
                Visit(RestApi.Member(schema, keyword), item, depth + 1);
            }

            position++;
        }
    }

    private void Try(string pattern, string text)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            _ = Regex.IsMatch(text, pattern, RegexOptions.ECMAScript, LongestPattern);
        }
        catch (RegexMatchTimeoutException)
        {
            throw new SchemaTooCostlyException();
        }
        catch (ArgumentException)
        {
            throw new SchemaTooCostlyException(); // Not a pattern at all: nothing can be told by it.
        }

        patterns += Stopwatch.GetElapsedTime(started);
        if (patterns > LongestPatterns)
        {
            throw new SchemaTooCostlyException();
        }
    }

    private static JsonElement.ObjectEnumerator Members(JsonElement at) => at.ValueKind == JsonValueKind.Object ? at.EnumerateObject() : default;
}
