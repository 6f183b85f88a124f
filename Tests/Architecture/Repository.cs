using System.Diagnostics;

namespace LlmMarketplace.Architecture;

/// <summary>The files of the repository: those that git knows, and those that it would add.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    /// <summary>Paths with forward slashes, from the root.</summary>
    public static IReadOnlyList<string> Files { get; } = ListFiles();

    public static IEnumerable<string> Sources => Files.Where(file => file.EndsWith(".cs", StringComparison.Ordinal) && !file.Contains("/Migrations/", StringComparison.Ordinal));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    private static string FindRoot()
    {
        for (var at = AppContext.BaseDirectory; at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "LlmMarketplace.sln")))
            {
                return at;
            }
        }

        throw new InvalidOperationException($"{AppContext.BaseDirectory} is not below a folder with LlmMarketplace.sln.");
    }

    private static List<string> ListFiles()
    {
        using var git = Process.Start(new ProcessStartInfo("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]) { WorkingDirectory = Root, RedirectStandardOutput = true })!;
        var listed = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        var files = git.ExitCode == 0
            ? listed.Split('\0', StringSplitOptions.RemoveEmptyEntries)
            : Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/')).Where(IsSource);
        return [.. files.Where(file => File.Exists(Path.Combine(Root, file))).Distinct().Order(StringComparer.Ordinal)];
    }

    // Without git, as in an unpacked archive.
    private static bool IsSource(string file) => !file.Split('/').Any(part => part is "bin" or "obj" or "node_modules" or ".git");
}
