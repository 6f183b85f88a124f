using System.Diagnostics;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.AllInOne.Tests;

/// <summary>A data directory that was started once, with variables that are meant for a single application, and stopped. Tests go on from copies of it.</summary>
public sealed class FirstLife : IAsyncLifetime
{
    private readonly TestDirectory directory = new("all-in-one-first");

    public string Data => Path.Combine(directory.Path, "data");

    internal FirstRunFacts Facts { get; private set; } = null!;

    /// <summary>Whether nobody listened on the port that those variables name.</summary>
    public bool MisleadingPortWasFree { get; private set; }

    public async ValueTask InitializeAsync()
    {
        var misleading = FreePort.Choose();
        var address = $"http://127.0.0.1:{misleading}";
        var environment = new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = address, ["ASPNETCORE_ENVIRONMENT"] = "Development", ["Kestrel__Endpoints__X__Url"] = address };
        await using var marketplace = await AllInOneProcess.StartAsync(Data, environment: environment);
        Facts = marketplace.Facts;
        MisleadingPortWasFree = FreePort.IsFree(misleading);
        Assert.True(await marketplace.StopAsync());
    }

    /// <summary>Copies it, owners and modes too: as root, the database belongs to another account.</summary>
    public async Task CopyToAsync(string data)
    {
        using var copy = Process.Start("cp", ["-a", Data, data]);
        await copy.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, copy.ExitCode);
    }

    public ValueTask DisposeAsync()
    {
        directory.Dispose();
        return ValueTask.CompletedTask;
    }
}
