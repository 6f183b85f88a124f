using LlmMarketplace.Functional;

[assembly: AssemblyFixture(typeof(SharedMarketplace))]

namespace LlmMarketplace.Functional;

/// <summary>The one AllInOne that all stories share. Started by the first test that asks.</summary>
public sealed class SharedMarketplace : IAsyncDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private StartedMarketplace? started;

    public async Task<Market> MarketAsync() => (await StartedAsync()).Market;

    public async Task<ScriptedModel> ModelAsync() => (await StartedAsync()).Model;

    public async Task<StartedMarketplace> StartedAsync()
    {
        await turn.WaitAsync();
        try
        {
            return started ??= await StartedMarketplace.StartAsync();
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (started is not null)
        {
            await started.DisposeAsync();
        }

        turn.Dispose();
    }
}
