namespace LlmMarketplace.FirstRun;

/// <summary>What the first run needs to know.</summary>
/// <param name="Address">The marketplace's public address.</param>
/// <param name="ClientId">The bootstrap client: <c>Identity:BootstrapClient:Id</c>.</param>
/// <param name="ClientSecret">Its secret.</param>
/// <param name="StateFile">Where it notes how far it came (created with mode 600: it holds credentials).</param>
public sealed record FirstRunOptions(Uri Address, string ClientId, string ClientSecret, string StateFile)
{
    /// <summary>The catalogue to publish; the one of this repository unless said otherwise.</summary>
    public string Catalogue { get; init; } = Path.Combine(AppContext.BaseDirectory, "samples", "catalogue.yaml");

    /// <summary>Values for <c>${NAME}</c> in the catalogue, before those of the environment.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>How long one thing may take until it counts as failed.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);
}

/// <summary>What the first run came to.</summary>
/// <param name="ConsumerKey">An API key of the catalogue's consumer.</param>
/// <param name="Model">A model that it may call: <c>provider/service</c>; null when it could once, and people have suspended, retired or hidden it since.</param>
/// <param name="Published">What is published, by <c>provider/service@version</c>.</param>
/// <param name="Skipped">What was left out, each with its reason.</param>
public sealed record FirstRunResult(string ConsumerKey, string? Model, IReadOnlyList<string> Published, IReadOnlyList<SkippedService> Skipped);

/// <summary>A service of the catalogue that is not published.</summary>
/// <param name="Service"><c>provider/service@version</c>.</param>
/// <param name="Reason">What is missing, or why it was refused.</param>
public sealed record SkippedService(string Service, string Reason);

/// <summary>The first run cannot go on; the message says what to do. Starting it again goes on where it stopped.</summary>
public sealed class FirstRunException : Exception
{
    /// <summary>For people.</summary>
    public FirstRunException(string message)
        : base(message)
    {
    }

    /// <summary>For people.</summary>
    public FirstRunException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
