using LlmMarketplace.Functional;

[assembly: AssemblyFixture(typeof(SharedMarketplace))]

namespace LlmMarketplace.Functional;

/// <summary>The one AllInOne that all stories share, with two providers that the tests play themselves. Started by the first test that asks.</summary>
public sealed class SharedMarketplace : IAsyncDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private Running? running;

    /// <summary>What the marketplace offers at its public address.</summary>
    public async Task<Market> MarketAsync() => (await RunningAsync()).Market;

    /// <summary>The provider behind <c>http://scripted.local</c>.</summary>
    public async Task<ScriptedModel> ModelAsync() => (await RunningAsync()).Model;

    /// <summary>The process.</summary>
    public async Task<MarketplaceProcess> ProcessAsync() => (await RunningAsync()).Process;

    public async ValueTask DisposeAsync()
    {
        if (running is not null)
        {
            await running.Process.DisposeAsync();
            await running.Model.DisposeAsync();
        }

        turn.Dispose();
    }

    private async Task<Running> RunningAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (running is null)
            {
                var model = await ScriptedModel.StartAsync();
                var process = await MarketplaceProcess.StartAsync(model.Settings);
                running = new Running(process, model, new Market(process.Address, process.BootstrapSecret));
            }

            return running;
        }
        finally
        {
            turn.Release();
        }
    }

    private sealed record Running(MarketplaceProcess Process, ScriptedModel Model, Market Market);
}
