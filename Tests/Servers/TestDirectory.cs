using System.Globalization;

namespace LlmMarketplace.Servers;

/// <summary>A temporary folder. What a killed test process left behind goes when the next one starts.</summary>
public sealed class TestDirectory : IDisposable
{
    private static readonly string Root = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "llm-marketplace-tests");

    static TestDirectory()
    {
        foreach (var left in Directory.Exists(Root) ? Directory.GetDirectories(Root) : [])
        {
            var owner = System.IO.Path.GetFileName(left).Split('-')[0];
            if (int.TryParse(owner, CultureInfo.InvariantCulture, out var pid) && !Directory.Exists($"/proc/{pid}"))
            {
                Remove(left);
            }
        }
    }

    /// <summary>Creates it.</summary>
    /// <param name="name">Part of its name, for whoever looks at it.</param>
    public TestDirectory(string name)
    {
        Path = System.IO.Path.Combine(Root, $"{Environment.ProcessId}-{name}-{Guid.CreateVersion7():N}");
        Directory.CreateDirectory(Path);
    }

    /// <summary>Its full path.</summary>
    public string Path { get; }

    /// <summary>Removes it and what is in it.</summary>
    public void Dispose() => Remove(Path);

    private static void Remove(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A server may still be writing its last file: the next test process sweeps.
        }
    }
}
