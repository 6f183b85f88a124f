namespace LlmMarketplace.Benchmarks.Gateway;

/// <summary>Something between wrk and the upstream; or the upstream itself.</summary>
/// <param name="Name">For the table.</param>
/// <param name="Address">Where it listens.</param>
/// <param name="Processes">All of it; null for the upstream, whose time is nobody's gain.</param>
internal sealed record Contender(string Name, Uri Address, ProcessTree? Processes)
{
    /// <summary>What requests name as model.</summary>
    public string Model { get; init; } = "bench";

    /// <summary>Headers that it wants.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Keys to take in turn.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];
}
