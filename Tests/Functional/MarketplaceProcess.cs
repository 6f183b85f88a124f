using System.Globalization;
using System.Net;
using System.Text.Json;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional;

/// <summary>The built AllInOne in a process of its own, as <c>./run</c> starts it, on a folder and port of its own.</summary>
public sealed class MarketplaceProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly TestDirectory directory = new("marketplace");
    private readonly IReadOnlyDictionary<string, string?> environment;
    private readonly int port = FreePort.Choose();
    private ChildProcess? process;

    private MarketplaceProcess(IReadOnlyDictionary<string, string?> environment) => this.environment = environment;

    public Uri Address => new($"http://localhost:{port}/");

    public string Data => Path.Combine(directory.Path, "data");

    public string BootstrapSecret => File.ReadAllText(Path.Combine(Data, "keys", "bootstrap-client.secret")).Trim();

    /// <summary>DIR/first-run.json.</summary>
    public JsonElement FirstRun => JsonDocument.Parse(File.ReadAllText(Path.Combine(Data, "first-run.json"))).RootElement;

    public bool IsRunning => process is { Exited.IsCompleted: false };

    public static async Task<MarketplaceProcess> StartAsync(IReadOnlyDictionary<string, string?> environment)
    {
        var marketplace = new MarketplaceProcess(environment);
        try
        {
            await marketplace.StartAsync();
            return marketplace;
        }
        catch
        {
            await marketplace.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it on its folder, and waits until the first run is done and everything is ready.</summary>
    public async Task StartAsync()
    {
        await LaunchAsync();
        var deadline = DateTime.UtcNow + Patience;
        using var client = new HttpClient { BaseAddress = Address };
        while (!await IsReadyAsync(client))
        {
            if (!IsRunning || DateTime.UtcNow > deadline)
            {
                throw new InvalidOperationException($"The marketplace was not ready within {Patience.TotalSeconds:0} s; it wrote:\n{string.Join('\n', process!.LastLines)}");
            }

            await Task.Delay(100);
        }
    }

    /// <summary>Starts it and waits for nothing.</summary>
    public async Task LaunchAsync()
    {
        var configuration = AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}", StringComparison.Ordinal) ? "Release" : "Debug";
        var program = Path.Combine(RepositoryRoot.Path, "Services", "AllInOne", "bin", configuration, "net10.0", "LlmMarketplace.AllInOne.dll");
        process = await ChildProcess.StartAsync(new()
        {
            FileName = Programs.Find("dotnet") ?? "dotnet",
            Arguments = [program, "--data", Data, "--port", port.ToString(CultureInfo.InvariantCulture)],
            Environment = environment,
        });
    }

    /// <summary><c>kill -9</c> of the whole thing.</summary>
    public async Task KillAsync()
    {
        process!.Send(ProcessSignal.Kill);
        await process.Exited;
    }

    public async ValueTask DisposeAsync()
    {
        if (process is not null)
        {
            await process.StopAsync(ProcessSignal.Terminate, TimeSpan.FromSeconds(10));
            await process.DisposeAsync();
        }

        directory.Dispose();
    }

    private async Task<bool> IsReadyAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri("health/ready", UriKind.Relative));
            return answer.StatusCode == HttpStatusCode.OK
                && File.Exists(Path.Combine(Data, "first-run.json"))
                && FirstRun.GetProperty("consumerKey").ValueKind == JsonValueKind.String;
        }
        catch (Exception early) when (early is HttpRequestException or IOException or JsonException or TaskCanceledException)
        {
            return false;
        }
    }
}
