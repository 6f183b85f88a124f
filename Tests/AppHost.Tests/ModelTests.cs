using System.Text.RegularExpressions;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace LlmMarketplace.AppHost.Tests;

/// <summary>What runs, what waits for what, and what is watched; read from the model, without starting anything.</summary>
public sealed partial class ModelTests : IAsyncLifetime
{
    private IDistributedApplicationTestingBuilder? builder;

    private IResourceCollection Resources => builder!.Resources;

    public async ValueTask InitializeAsync() => builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.LlmMarketplace_AppHost>(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => builder!.DisposeAsync();

    [Fact]
    public async Task Every_host_and_sample_of_the_solution_runs()
    {
        var root = Root();
        var declared = SolutionProject().Matches(await File.ReadAllTextAsync(Path.Combine(root, "LlmMarketplace.sln"), TestContext.Current.CancellationToken))
            .Select(match => match.Groups["path"].Value.Replace('\\', '/'))
            .Where(path => path.EndsWith(".Host.csproj", StringComparison.Ordinal) || path.StartsWith("samples/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        var running = Resources.OfType<ProjectResource>()
            .Select(project => Path.GetRelativePath(root, project.GetProjectMetadata().ProjectPath).Replace('\\', '/'))
            .Distinct()
            .Order(StringComparer.Ordinal);

        Assert.Equal(declared, running);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("redis")]
    [InlineData("kafka")]
    [InlineData("elasticsearch")]
    [InlineData("clickhouse")]
    public void A_backing_server_has_a_pinned_image_a_volume_and_a_health_check(string name)
    {
        var server = Resource(name);

        Assert.Matches(@"^\d+(\.\d+)+$", Assert.Single(server.Annotations.OfType<ContainerImageAnnotation>()).Tag);
        Assert.Equal(ContainerMountType.Volume, Assert.Single(server.Annotations.OfType<ContainerMountAnnotation>()).Type);
        Assert.NotEmpty(server.Annotations.OfType<HealthCheckAnnotation>());
    }

    [Fact]
    public void Servers_that_no_service_uses_start_on_request()
    {
        var onRequest = Resources.OfType<ContainerResource>().Where(server => server.Annotations.OfType<ExplicitStartupAnnotation>().Any()).Select(server => server.Name);

        Assert.Equal(["clickhouse", "elasticsearch"], onRequest.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("identity")]
    [InlineData("publishing")]
    [InlineData("admin")]
    [InlineData("discovery")]
    [InlineData("consumption")]
    public void A_service_starts_once_its_database_is_migrated_and_counts_as_started_once_it_is_ready(string name)
    {
        var service = Resource(name);

        Assert.Contains(Waits(service), wait => wait.WaitType == WaitType.WaitForCompletion && wait.Resource.Name == $"{name}-migrate" && wait.ExitCode == 0);
        Assert.Contains(Waits(service), wait => wait.WaitType == WaitType.WaitUntilHealthy && wait.Resource.Name == "kafka");
        Assert.Contains(Waits(Resource($"{name}-migrate")), wait => wait.WaitType == WaitType.WaitUntilHealthy && wait.Resource.Name == $"{name}-owner");
        Assert.Contains(service.Annotations.OfType<HealthCheckAnnotation>(), check => check.Key.Contains("/health/ready", StringComparison.Ordinal));
    }

    [Fact]
    public void The_first_run_waits_for_the_gateway_and_the_gateway_for_every_service()
    {
        string[] services = ["identity", "publishing", "admin", "discovery", "consumption"];

        Assert.Contains(Waits(Resource("first-run")), wait => wait.WaitType == WaitType.WaitUntilHealthy && wait.Resource.Name == "gateway");
        Assert.Subset(Waits(Resource("gateway")).Where(wait => wait.WaitType == WaitType.WaitUntilHealthy).Select(wait => wait.Resource.Name).ToHashSet(), services.ToHashSet());
        Assert.Contains(Resource("gateway").Annotations.OfType<HealthCheckAnnotation>(), check => check.Key.Contains("/health/ready", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("identity-key")]
    [InlineData("provider-secrets-key")]
    [InlineData("api-key-hmac-key")]
    public async Task A_key_is_32_bytes_in_base64(string name)
    {
        var key = Assert.IsType<ParameterResource>(Resource(name));

        Assert.True(key.Secret);
        Assert.Equal(32, Convert.FromBase64String((await key.GetValueAsync(TestContext.Current.CancellationToken))!).Length);
    }

    private static IEnumerable<WaitAnnotation> Waits(IResource resource) => resource.Annotations.OfType<WaitAnnotation>();

    private static string Root()
    {
        var at = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(at, "LlmMarketplace.sln")))
        {
            at = Path.GetDirectoryName(at) ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is not below a folder with LlmMarketplace.sln.");
        }

        return at;
    }

    private IResource Resource(string name) => Assert.Single(Resources, resource => resource.Name == name);

    [GeneratedRegex("""^Project\(.*\) = "[^"]*", "(?<path>[^"]*\.csproj)",""", RegexOptions.Multiline)]
    private static partial Regex SolutionProject();
}
