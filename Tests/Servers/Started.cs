namespace LlmMarketplace.Servers;

/// <summary>Something started by whoever asks first, once.</summary>
internal sealed class Started<T>(Func<Task<T>> start) : IAsyncDisposable where T : class, IAsyncDisposable
{
    private readonly SemaphoreSlim turn = new(1);
    private T? value;

    public async Task<T> GetAsync()
    {
        await turn.WaitAsync();
        try
        {
            return value ??= await start();
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (value is not null)
        {
            await value.DisposeAsync();
        }

        turn.Dispose();
    }
}
