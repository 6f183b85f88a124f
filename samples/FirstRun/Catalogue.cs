using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LlmMarketplace.FirstRun;

/// <summary>The catalogue file: who provides what, and who makes the first call. A service's declaration is the API's JSON, written as YAML.</summary>
internal sealed partial class Catalogue
{
    public required CatalogueConsumer Consumer { get; init; }

    public required IReadOnlyList<CatalogueProvider> Providers { get; init; }

    /// <summary>Reads a catalogue. <c>${NAME}</c> stands for a variable; a service that names one that is not set is kept out and says so.</summary>
    public static Catalogue Read(string path, Func<string, string?> variable)
    {
        try
        {
            using var text = File.OpenText(path);
            var yaml = new YamlStream();
            yaml.Load(text);
            var root = (YamlMappingNode)yaml.Documents[0].RootNode;
            var consumer = (YamlMappingNode)root["consumer"];
            return new Catalogue
            {
                Consumer = new CatalogueConsumer(Text(consumer, "slug"), Text(consumer, "name"), Text(consumer, "tier"), Text(consumer, "model")),
                Providers = [.. ((YamlSequenceNode)root["providers"]).Cast<YamlMappingNode>().Select(provider => ReadProvider(provider, Path.GetDirectoryName(Path.GetFullPath(path))!, variable))],
            };
        }
        catch (Exception wrong) when (wrong is YamlException or InvalidCastException or KeyNotFoundException or ArgumentException or IOException or System.Text.Json.JsonException)
        {
            throw new FirstRunException($"{path} cannot be read as a catalogue: {wrong.Message}", wrong);
        }
    }

    private static CatalogueProvider ReadProvider(YamlMappingNode provider, string directory, Func<string, string?> variable) => new(
        Text(provider, "slug"),
        Text(provider, "name"),
        [.. ((YamlSequenceNode)provider["services"]).Cast<YamlMappingNode>().Select(service => ReadService(service, directory, variable))]);

    private static CatalogueService ReadService(YamlMappingNode service, string directory, Func<string, string?> variable)
    {
        var missing = new SortedSet<string>(StringComparer.Ordinal);
        if (service.Children.TryGetValue("requires", out var requires))
        {
            missing.UnionWith(((YamlSequenceNode)requires).Select(name => ((YamlScalarNode)name).Value!).Where(name => string.IsNullOrEmpty(variable(name))));
        }

        var declaration = (JsonObject)ToJson(service["declaration"], variable, missing)!;
        if (service.Children.TryGetValue("openApiFile", out var file))
        {
            declaration["openApi"] = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, ((YamlScalarNode)file).Value!)));
        }

        return new CatalogueService(Text(service, "name"), Text((YamlMappingNode)service["declaration"], "version"), declaration, [.. missing]);
    }

    private static string Text(YamlMappingNode node, string name) =>
        node[name] is YamlScalarNode { Value: { Length: > 0 } text } ? text : throw new ArgumentException($"'{name}' in line {node.Start.Line} must be a text.");

    private static JsonNode? ToJson(YamlNode node, Func<string, string?> variable, SortedSet<string> missing) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value!, ToJson(pair.Value, variable, missing)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(item => ToJson(item, variable, missing))]),
        YamlScalarNode scalar => Scalar(scalar, variable, missing),
        _ => throw new ArgumentException($"Line {node.Start.Line} holds an alias; write it out."),
    };

    /// <summary>YAML 1.2's core schema, but numbers stay the decimals that they are written as.</summary>
    private static JsonNode? Scalar(YamlScalarNode scalar, Func<string, string?> variable, SortedSet<string> missing)
    {
        var text = Variable().Replace(scalar.Value ?? "", match =>
        {
            var value = variable(match.Groups[1].Value);
            if (string.IsNullOrEmpty(value))
            {
                missing.Add(match.Groups[1].Value);
            }

            return value ?? "";
        });
        return scalar.Style is not ScalarStyle.Plain ? JsonValue.Create(text)
            : text is "" or "null" or "~" ? null
            : text is "true" or "false" ? JsonValue.Create(text == "true")
            : Number().IsMatch(text) ? JsonNode.Parse(text)
            : JsonValue.Create(text);
    }

    [GeneratedRegex(@"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")]
    private static partial Regex Variable();

    [GeneratedRegex(@"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?\z")]
    private static partial Regex Number();
}

/// <summary>Who makes the first call.</summary>
internal sealed record CatalogueConsumer(string Slug, string Name, string Tier, string Model);

/// <summary>An organisation that provides services.</summary>
internal sealed record CatalogueProvider(string Slug, string Name, IReadOnlyList<CatalogueService> Services);

/// <summary>A service to publish.</summary>
/// <param name="Name">Its listing's name.</param>
/// <param name="Version">SemVer.</param>
/// <param name="Declaration">The body of <c>POST /api/v1/listings/{id}/versions</c>.</param>
/// <param name="Missing">Variables that are not set.</param>
internal sealed record CatalogueService(string Name, string Version, JsonObject Declaration, IReadOnlyList<string> Missing);
