extern alias JsonSchemas;

using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using JsonSchemas::Json.Schema;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>
/// A schema of an OpenAPI document, as JSON Schema (draft 2020-12) that stands on its own: <c>#/components/schemas/X</c> becomes <c>#/$defs/X</c>. It is a provider's word, and is
/// trusted with nothing: what it would cost to check a value by it is counted first (<see cref="SchemaCost"/>).
/// </summary>
internal sealed class BodySchema
{
    private const int MostIssues = 50;
    private const string Components = "#/components/schemas/";
    private static readonly string[] Values = ["enum", "const", "default", "example", "examples"];
    private static readonly string[] Identities = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"];

    private readonly JsonElement root;
    private readonly JsonSchema schema;
    private readonly EvaluationOptions options = new() { OutputFormat = OutputFormat.Hierarchical, Culture = CultureInfo.InvariantCulture };
    private readonly Lock gate = new(); // The library does not say that one schema may be asked by several threads.

    static BodySchema() => ErrorMessages.Required = "[[missing]]"; // As JSON, to name each of them.

    private BodySchema(JsonElement root)
    {
        this.root = root;
        schema = JsonSchema.FromText(root.GetRawText());
    }

    /// <param name="document">The document that the schema stands in.</param>
    /// <param name="declared">The schema; undefined: there is none.</param>
    /// <param name="schema">To check by; null: anything goes.</param>
    /// <param name="gap">Why it cannot be used.</param>
    public static bool TryRead(JsonElement document, JsonElement declared, out BodySchema? schema, out string? gap)
    {
        (schema, gap) = (null, null);
        if (declared.ValueKind is JsonValueKind.Undefined or JsonValueKind.True)
        {
            return true;
        }

        try
        {
            schema = new BodySchema(Bundle(document, declared));
            return true;
        }
        catch (Exception unusable) when (unusable is FormatException or JsonException or RefResolutionException or ArgumentException or InvalidOperationException or NotSupportedException)
        {
            gap = $"its schema cannot be used here ({unusable.Message})";
            return false;
        }
    }

    /// <summary>What is wrong with a value; nothing when it is as it should be.</summary>
    /// <param name="value">The value.</param>
    /// <param name="at">Where it stands.</param>
    /// <exception cref="SchemaTooCostlyException">It cannot be told with reasonable effort.</exception>
    public IReadOnlyList<Issue> Check(JsonElement value, string at)
    {
        new SchemaCost(root).Count(value);
        var issues = new List<Issue>();
        lock (gate)
        {
            try
            {
                Collect(schema.Evaluate(value, options), at, issues);
            }
            catch (RegexMatchTimeoutException)
            {
                throw new SchemaTooCostlyException();
            }
        }

        return [.. issues.DistinctBy(issue => (issue.Path, issue.Message)).Take(MostIssues)];
    }

    /// <summary>The errors themselves: of alternatives none of which fits, that none does, not what each of them lacks.</summary>
    private static void Collect(EvaluationResults node, string at, List<Issue> issues)
    {
        if (node.IsValid || issues.Count > MostIssues)
        {
            return;
        }

        var here = at + node.InstanceLocation;
        var before = issues.Count;
        foreach (var (keyword, message) in node.Errors ?? new Dictionary<string, string>())
        {
            if (keyword == "required")
            {
                issues.AddRange(JsonSerializer.Deserialize<string[]>(message)!.Select(name => new Issue("missing", here + JsonPointers.Step(name), $"`{name}` is missing.")));
            }
            else if (keyword.Length == 0)
            {
                issues.Add(new Issue("unknown", here, "Nothing may stand here."));
            }
            else
            {
                issues.Add(new Issue("invalid", here, $"{message.TrimEnd('.')}."));
            }
        }

        var depth = node.EvaluationPath.ToString().Length;
        foreach (var child in node.Details.Where(child => !child.IsValid))
        {
            var keyword = child.EvaluationPath.ToString()[depth..].Split('/').ElementAtOrDefault(1);
            if (keyword is not ("anyOf" or "oneOf" or "not" or "if" or "contains"))
            {
                Collect(child, at, issues);
            }
        }

        if (issues.Count == before)
        {
            issues.Add(new Issue("invalid", here, "The value is none of those that the service takes here."));
        }
    }

    private static JsonElement Bundle(JsonElement document, JsonElement declared)
    {
        var (definitions, waiting) = (new JsonObject(), new Queue<string>());
        var whole = Own(JsonNode.Parse(declared.GetRawText()), waiting);
        while (waiting.TryDequeue(out var name))
        {
            if (definitions.ContainsKey(name))
            {
                continue;
            }

            var found = RestApi.Member(RestApi.Member(RestApi.Member(document, "components"), "schemas"), name);
            definitions[name] = found.ValueKind == JsonValueKind.Undefined ? throw new FormatException($"{Components}{name} leads to nothing") : Own(JsonNode.Parse(found.GetRawText()), waiting);
        }

        return JsonSerializer.SerializeToElement(new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["allOf"] = new JsonArray(whole), ["$defs"] = definitions });
    }

    /// <summary>Points references into the bundle, and notes what they lead to.</summary>
    private static JsonNode? Own(JsonNode? node, Queue<string> waiting)
    {
        if (node is JsonArray list)
        {
            foreach (var item in list)
            {
                Own(item, waiting);
            }
        }
        else if (node is JsonObject schema)
        {
            if (Identities.FirstOrDefault(name => schema[name] is JsonValue) is { } identity)
            {
                throw new FormatException($"{identity} is not followed");
            }

            if (schema["$ref"] is JsonValue value && value.TryGetValue<string>(out var reference))
            {
                if (!reference.StartsWith(Components, StringComparison.Ordinal))
                {
                    throw new FormatException($"{reference} is not followed");
                }

                var path = reference[Components.Length..];
                waiting.Enqueue(Uri.UnescapeDataString(path.Split('/')[0]).Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal));
                schema["$ref"] = "#/$defs/" + path;
            }

            schema.Remove("$schema");
            foreach (var (_, member) in schema.Where(member => !Values.Contains(member.Key)).ToList())
            {
                Own(member, waiting);
            }
        }

        return node;
    }
}
