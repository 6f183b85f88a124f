using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional;

/// <summary>An AllInOne on a folder and port of its own, with the provider that the tests play. It can be killed and started again.</summary>
public sealed class StartedMarketplace : IAsyncDisposable
{
    private readonly TestDirectory directory = new("marketplace");
    private readonly int port = FreePort.Choose();

    private StartedMarketplace(ScriptedModel model) => Model = model;

    /// <summary>What it offers at its public address.</summary>
    public Market Market { get; private set; } = null!;

    /// <summary>The provider behind <c>http://scripted.local</c>; it goes on when the marketplace is killed.</summary>
    public ScriptedModel Model { get; }

    /// <summary>The process.</summary>
    public AllInOneProcess Process { get; private set; } = null!;

    public static async Task<StartedMarketplace> StartAsync()
    {
        var marketplace = new StartedMarketplace(await ScriptedModel.StartAsync());
        try
        {
            await marketplace.StartAgainAsync();
            return marketplace;
        }
        catch
        {
            await marketplace.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it on its folder, and waits until it is ready.</summary>
    public async Task StartAgainAsync()
    {
        Process = await AllInOneProcess.StartAsync(Path.Combine(directory.Path, "data"), port, Model.Settings);
        Market = new Market(new Uri($"http://localhost:{port}/"), (await File.ReadAllTextAsync(Path.Combine(Process.DirectoryPath, "keys", "bootstrap-client.secret"))).Trim());
    }

    public async ValueTask DisposeAsync()
    {
        if (Process is not null)
        {
            await Process.DisposeAsync();
        }

        await Model.DisposeAsync();
        directory.Dispose();
    }
}
