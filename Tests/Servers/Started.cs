namespace LlmMarketplace.Servers;

/// <summary>Something started by whoever asks first, and shared.</summary>
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

    /// <summary>Ends it; who asks next starts it again.</summary>
    public async Task DropAsync()
    {
        await turn.WaitAsync();
        try
        {
            if (value is not null)
            {
                await value.DisposeAsync();
                value = null;
            }
        }
        finally
        {
            turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await DropAsync();
        turn.Dispose();
    }
}
