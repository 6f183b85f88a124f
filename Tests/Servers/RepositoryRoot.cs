namespace LlmMarketplace.Servers;

/// <summary>Where things are that tests use.</summary>
public static class RepositoryRoot
{
    /// <summary>The folder that holds LlmMarketplace.sln.</summary>
    public static string Path { get; } = Find();

    /// <summary>
    /// The folder of real backing servers, models and clients that may lie beside the repository (LLM_MARKETPLACE_SHARED overrules), or null.
    /// Tests that need something from it say so when they skip.
    /// </summary>
    public static string? Shared { get; } = FindShared();

    private static string Find()
    {
        for (var at = AppContext.BaseDirectory; at is not null; at = System.IO.Path.GetDirectoryName(at))
        {
            if (File.Exists(System.IO.Path.Combine(at, "LlmMarketplace.sln")))
            {
                return at;
            }
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not below a folder with LlmMarketplace.sln: run the tests from where they are built.");
    }

    private static string? FindShared()
    {
        var folder = Environment.GetEnvironmentVariable("LLM_MARKETPLACE_SHARED") is { Length: > 0 } named
            ? named
            : System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path) ?? "/", "shared");
        return Directory.Exists(folder) ? System.IO.Path.GetFullPath(folder) : null;
    }
}
