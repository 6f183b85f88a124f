using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Architecture;

public sealed partial class SolutionTests
{
    private static readonly IReadOnlyList<string> Projects = [.. Repository.Files.Where(file => file.EndsWith(".csproj", StringComparison.Ordinal))];
    private static readonly IReadOnlyList<string> Hosts = [.. Projects.Where(file => file.EndsWith(".Host.csproj", StringComparison.Ordinal))];

    [Fact]
    public void The_solution_holds_every_project() => Assert.Equal(Projects, InSolution(Repository.Read("LlmMarketplace.sln")));

    [Fact]
    public void The_filter_holds_every_project_that_builds_without_Aspire_packages()
    {
        var needAspire = Projects.Where(NeedsAspire).ToList();

        Assert.Equal(Projects.Except(needAspire), InFilter(Repository.Read("LlmMarketplace.Plain.slnf")).Order(StringComparer.Ordinal));
        Assert.All(Hosts, host => Assert.Contains(host, InFilter(Repository.Read("LlmMarketplace.Plain.slnf"))));
    }

    [Fact]
    public void There_is_a_host_for_each_service()
    {
        var services = Repository.Files.Where(file => ServiceProject().IsMatch(file)).Select(file => file.Split('/')[1]).Distinct().ToList();

        Assert.Equal(["Admin", "Consumption", "Discovery", "Gateway", "Identity", "Publishing"], services);
        Assert.Equal(services, Hosts.Select(host => host.Split('/')[1]));
    }

    [Fact]
    public void The_AppHost_references_and_declares_every_host()
    {
        var references = Project.Read("LlmMarketplace.AppHost/LlmMarketplace.AppHost.csproj", Repository.Read("LlmMarketplace.AppHost/LlmMarketplace.AppHost.csproj")).References;
        var declared = Repository.Read("LlmMarketplace.AppHost/AppHost.cs");

        Assert.All(Hosts, host => Assert.Contains(host, references));
        Assert.All(Hosts, host => Assert.Contains($"Projects.{Path.GetFileNameWithoutExtension(host).Replace('.', '_')}>", declared, StringComparison.Ordinal));
        Assert.Contains("samples/FirstRun/FirstRun.csproj", references);
        Assert.Contains("samples/LocalProvider/LocalProvider.csproj", references);
    }

    [Fact]
    public void Every_connection_that_a_service_declares_is_one_that_the_AppHost_gives()
    {
        var appHost = string.Concat(Repository.Files.Where(file => file.StartsWith("LlmMarketplace.AppHost/", StringComparison.Ordinal) && file.EndsWith(".cs", StringComparison.Ordinal)).Select(Repository.Read));
        var given = AddsResource().Matches(appHost).Select(match => match.Groups[1].Value).ToHashSet();

        Assert.All(["identity", "publishing", "discovery", "consumption", "admin"], database => Assert.Contains(database, given));
        Assert.All(RedisNames(), redis => Assert.Contains(redis, given));
        Assert.Contains("kafka", given);
    }

    [Fact]
    public void Every_service_that_AllInOne_starts_is_declared_in_the_AppHost()
    {
        var appHost = Repository.Read("LlmMarketplace.AppHost/AppHost.cs");
        var started = NamesService().Matches(Repository.Read("Services/AllInOne/Services.cs")).Select(match => match.Groups[1].Value).ToList();

        Assert.Equal(["admin", "consumption", "discovery", "identity", "publishing"], started.Where(name => name != "gateway").Order());
        Assert.All(started, name => Assert.Contains($"(\"{name}\"", appHost, StringComparison.Ordinal));
    }

    [Fact]
    public void A_project_that_is_missing_from_the_solution_is_noticed()
    {
        var solution = Repository.Read("LlmMarketplace.sln").Replace("Services\\Gateway\\Gateway.Host\\Gateway.Host.csproj", "elsewhere", StringComparison.Ordinal);

        Assert.NotEqual(Projects, InSolution(solution));
    }

    private static IEnumerable<string> RedisNames() =>
        Repository.Sources.Where(file => file.StartsWith("Services/", StringComparison.Ordinal)).SelectMany(file => DeclaresRedis().Matches(Repository.Read(file))).Select(match => match.Groups[1].Value);

    private static bool NeedsAspire(string project)
    {
        var text = Repository.Read(project);
        return text.Contains("Aspire.AppHost.Sdk", StringComparison.Ordinal) || text.Contains("Aspire.Hosting.Testing", StringComparison.Ordinal);
    }

    private static IEnumerable<string> InSolution(string solution) =>
        SolutionProject().Matches(solution).Select(match => match.Groups[1].Value.Replace('\\', '/')).Order(StringComparer.Ordinal);

    private static IEnumerable<string> InFilter(string filter) =>
        JsonDocument.Parse(filter).RootElement.GetProperty("solution").GetProperty("projects").EnumerateArray().Select(project => project.GetString()!.Replace('\\', '/'));

    [GeneratedRegex("\"([^\"]+\\.csproj)\"")]
    private static partial Regex SolutionProject();

    [GeneratedRegex("^Services/([^/]+)/\\1/\\1\\.csproj$")]
    private static partial Regex ServiceProject();

    [GeneratedRegex("Add(?:Redis|Kafka|Service<[^>]+>)\\(\"([a-z-]+)\"")]
    private static partial Regex AddsResource();

    [GeneratedRegex("RedisDeclaration\\(\"([a-z-]+)\"\\)")]
    private static partial Regex DeclaresRedis();

    [GeneratedRegex("\\(\"([a-z]+)\", ")]
    private static partial Regex NamesService();
}
