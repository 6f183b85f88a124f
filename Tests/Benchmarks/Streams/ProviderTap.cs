namespace LlmMarketplace.Benchmarks.Streams;

/// <summary>Turns <see cref="DrippingProvider"/>, which is a process of its own.</summary>
internal sealed class ProviderTap(Uri address) : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address };
    private int skipped;

    public Uri Address => address;

    /// <summary>Later streams have so many chunks, so far apart; 0 chunks: until they are ended.</summary>
    public Task DripAsync(int chunks, int milliseconds, CancellationToken cancellation) => TurnAsync($"control/drip?chunks={chunks}&ms={milliseconds}", cancellation);

    /// <summary>All streams under way send their last events.</summary>
    public Task EndAsync(CancellationToken cancellation) => TurnAsync("control/end", cancellation);

    /// <summary>Forgets the attempts so far.</summary>
    public async Task SkipAsync(CancellationToken cancellation) => skipped = (await LinesAsync(cancellation)).Length;

    /// <summary>The calls whose attempts reached the provider since.</summary>
    public async Task<IReadOnlyList<Guid>> LedgerAsync(CancellationToken cancellation) => [.. (await LinesAsync(cancellation)).Skip(skipped).Select(Guid.Parse)];

    public void Dispose() => http.Dispose();

    private async Task<string[]> LinesAsync(CancellationToken cancellation) => (await http.GetStringAsync("control/ledger", cancellation)).Split('\n');

    private async Task TurnAsync(string order, CancellationToken cancellation)
    {
        using var answer = await http.PostAsync(order, null, cancellation);
        answer.EnsureSuccessStatusCode();
    }
}
