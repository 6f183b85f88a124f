using System.Diagnostics;
using System.Globalization;
using LlmMarketplace.Embedded;

namespace LlmMarketplace.Functional.Crashes;

/// <summary>A marketplace of their own for tests that kill it, one after the other.</summary>
public sealed class KilledMarketplace : IAsyncDisposable
{
    private StartedMarketplace? started;

    public async Task<StartedMarketplace> StartedAsync() => started ??= await StartedMarketplace.StartAsync();

    /// <summary>Ends all of it as <c>kill -9</c> does, and starts it again on the same data, at once as a supervisor would.</summary>
    public async Task KillAndStartAgainAsync()
    {
        await started!.Process.KillAsync();
        await StartAgainAsync();
    }

    /// <summary>Stops all of it as SIGTERM does, in the time that it is to take, and starts it again on the same data.</summary>
    public async Task StopAndStartAgainAsync()
    {
        var asked = Stopwatch.GetTimestamp();
        Assert.True(await started!.Process.StopAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(0, await started.Process.Process.Exited);
        await StartAgainAsync();
    }

    /// <summary>Ends PostgreSQL as <c>kill -9</c> does; everything stops and says so; then starts it again.</summary>
    public async Task KillPostgresAndStartAgainAsync()
    {
        var pid = File.ReadLines(Path.Combine(started!.Process.DirectoryPath, "postgres", "cluster", "postmaster.pid")).First();
        var (code, _) = await ChildProcess.RunAsync(new() { FileName = "kill", Arguments = ["-9", int.Parse(pid, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture)] });
        Assert.Equal(0, code);
        Assert.Equal(1, await started.Process.Process.Exited.WaitAsync(TimeSpan.FromMinutes(3)));
        Assert.Contains(started.Process.Process.LastLines, line => line.StartsWith("PostgreSQL has ended unexpectedly, so everything stops", StringComparison.Ordinal));
        await StartAgainAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (started is not null)
        {
            await started.DisposeAsync();
        }
    }

    private async Task StartAgainAsync()
    {
        await started!.Process.DisposeAsync();
        await started.StartAgainAsync();
    }
}
