using System.Xml.Linq;

namespace LlmMarketplace.Architecture;

/// <summary>A project and the projects that it references, by paths from the root.</summary>
internal sealed record Project(string Path, IReadOnlyList<string> References)
{
    public string Name => System.IO.Path.GetFileNameWithoutExtension(Path);

    public static Project Read(string path, string xml)
    {
        var directory = System.IO.Path.GetDirectoryName(path)!;
        return new Project(path, [.. XDocument.Parse(xml).Descendants("ProjectReference")
            .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false")
            .Select(reference => Normalise(System.IO.Path.Combine(directory, ((string)reference.Attribute("Include")!).Replace('\\', '/'))))]);
    }

    private static string Normalise(string path)
    {
        var parts = new List<string>();
        foreach (var part in path.Split('/').Where(part => part is not ("" or ".")))
        {
            if (part == "..")
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else
            {
                parts.Add(part);
            }
        }

        return string.Join('/', parts);
    }
}

/// <summary>What each kind of project may reference: the table of docs/architecture.md and of the decisions.</summary>
internal static class ReferenceTable
{
    private enum Kind
    {
        Contracts,
        Service,
        Host,
        AllInOne,
        AppHost,
        ServiceDefaults,
        Library,
        Sample,
        Test,
        Unknown,
    }

    /// <summary>Every reference that the table does not allow, in words.</summary>
    public static IReadOnlyList<string> Refuse(IReadOnlyList<Project> projects)
    {
        var refused = new List<string>();
        foreach (var project in projects)
        {
            if (KindOf(project.Path) is Kind.Unknown)
            {
                refused.Add($"{project.Path} lies where no project belongs.");
            }

            refused.AddRange(project.References.Where(reference => !May(project.Path, reference)).Select(reference => $"{project.Path} may not reference {reference}."));
        }

        refused.AddRange(Circles(projects.Where(project => KindOf(project.Path) is Kind.Library).ToDictionary(project => project.Path)));
        return refused;
    }

    private static bool May(string from, string to) => (KindOf(from), KindOf(to)) switch
    {
        (Kind.Contracts, _) => false,
        (Kind.Service, Kind.Contracts or Kind.Library) => true,
        (Kind.Host, Kind.ServiceDefaults) => true,
        (Kind.Host, Kind.Service) => ServiceOf(from) == ServiceOf(to) || (ServiceOf(from) == "Gateway" && ServiceOf(to) == "Consumption"),
        (Kind.AllInOne, Kind.Service or Kind.ServiceDefaults or Kind.Sample) => true,
        (Kind.AllInOne, Kind.Library) => to.EndsWith("/Embedded.csproj", StringComparison.Ordinal),
        (Kind.AppHost, Kind.Host or Kind.Sample) => true,
        (Kind.ServiceDefaults, Kind.Library) => true,
        (Kind.ServiceDefaults, Kind.Contracts) => ServiceOf(to) == "Identity",
        (Kind.Library, Kind.Library) => true,
        (Kind.Sample, Kind.Library) => true,
        (Kind.Test, not Kind.Unknown) => true,
        _ => false,
    };

    private static Kind KindOf(string path)
    {
        var parts = path.Split('/');
        return parts switch
        {
            ["LlmMarketplace.AppHost", _] => Kind.AppHost,
            ["LlmMarketplace.ServiceDefaults", _] => Kind.ServiceDefaults,
            ["Libraries", _, _] => Kind.Library,
            ["samples", _, _] => Kind.Sample,
            ["Tests", _, _] => Kind.Test,
            ["Services", "AllInOne", _] => Kind.AllInOne,
            ["Services", var service, var folder, _] when folder == $"{service}.Contracts" => Kind.Contracts,
            ["Services", var service, var folder, _] when folder == $"{service}.Host" => Kind.Host,
            ["Services", var service, var folder, _] when folder == service => Kind.Service,
            _ => Kind.Unknown,
        };
    }

    private static string ServiceOf(string path) => path.Split('/')[1];

    private static IEnumerable<string> Circles(Dictionary<string, Project> libraries)
    {
        foreach (var start in libraries.Keys)
        {
            var seen = new HashSet<string>();
            var open = new Stack<string>(libraries[start].References);
            while (open.TryPop(out var at))
            {
                if (at == start)
                {
                    yield return $"{start} references itself in a circle.";
                    break;
                }

                if (seen.Add(at) && libraries.TryGetValue(at, out var library))
                {
                    foreach (var next in library.References)
                    {
                        open.Push(next);
                    }
                }
            }
        }
    }
}
