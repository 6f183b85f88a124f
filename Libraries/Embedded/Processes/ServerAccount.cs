using System.Globalization;

namespace LlmMarketplace.Embedded;

/// <summary>The unprivileged account that a server runs under when this process is root (PostgreSQL refuses to run as root).</summary>
internal sealed record ServerAccount(uint UserId, uint GroupId)
{
    private const int DacOverride = 1;
    private const int DacReadSearch = 2;

    /// <summary>The account for a server whose data is in <paramref name="data"/>, or null when this process is not root and the server runs as we do.</summary>
    public static async Task<ServerAccount?> ForAsync(string data, CancellationToken cancellation)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return null;
        }

        // Data that exists has an owner, who stays the owner: the account "postgres" may have appeared since.
        if (Directory.Exists(data) && await OwnerAsync(data, cancellation) is { UserId: not 0 } owner)
        {
            return owner;
        }

        return Named("postgres") ?? Named("nobody") ?? throw new EmbeddedServerException(
            "PostgreSQL refuses to run as root and there is neither an account 'postgres' nor 'nobody': add one with 'useradd --system postgres', or start as another user.");
    }

    /// <summary>Gives a file or directory to this account.</summary>
    public async Task TakeOverAsync(string path, CancellationToken cancellation)
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = "chown", Arguments = [$"{UserId}:{GroupId}", path] }, cancellation);
        if (code != 0)
        {
            throw new EmbeddedServerException($"Could not give {path} to the account that PostgreSQL runs under ({output}): choose a data directory on a local file system.");
        }
    }

    /// <summary>
    /// The capability the account needs to get at this path: none when every folder on the way is open to all, else the least that root has to give.
    /// </summary>
    public static string? CapabilityFor(string path)
    {
        if (ClosedFolder(path) is not { } closed)
        {
            return null;
        }

        var mine = EffectiveCapabilities();
        return (mine & (1UL << DacReadSearch)) != 0 ? "dac_read_search"
            : (mine & (1UL << DacOverride)) != 0 ? "dac_override"
            : throw new EmbeddedServerException($"The folder {closed} is closed to the account that PostgreSQL runs under: open it with 'chmod o+x {closed}', or choose another data directory.");
    }

    /// <summary>Programs need more than a capability can give: initdb asks access(2), which looks at the account alone.</summary>
    public static void RequireOpen(string programs)
    {
        if (ClosedFolder(programs + "/") is { } closed)
        {
            throw new EmbeddedServerException($"PostgreSQL's programs in {programs} cannot be run by an account other than root, because {closed} is closed: open it with 'chmod o+x {closed}', or install PostgreSQL elsewhere.");
        }
    }

    private static string? ClosedFolder(string path) => Ancestors(path).FirstOrDefault(directory => !File.GetUnixFileMode(directory).HasFlag(UnixFileMode.OtherExecute));

    private static IEnumerable<string> Ancestors(string path)
    {
        for (var at = Path.GetDirectoryName(Path.GetFullPath(path)); at is not null; at = Path.GetDirectoryName(at))
        {
            yield return at;
        }
    }

    private static ulong EffectiveCapabilities()
    {
        const string field = "CapEff:";
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(field, StringComparison.Ordinal));
        return ulong.Parse(line.AsSpan(field.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    private static ServerAccount? Named(string name)
    {
        var fields = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).FirstOrDefault(f => f.Length > 3 && f[0] == name);
        return fields is null ? null : new(uint.Parse(fields[2], CultureInfo.InvariantCulture), uint.Parse(fields[3], CultureInfo.InvariantCulture));
    }

    private static async Task<ServerAccount> OwnerAsync(string path, CancellationToken cancellation)
    {
        var (code, output) = await ChildProcess.RunAsync(new() { FileName = "stat", Arguments = ["-c", "%u %g", path] }, cancellation);
        var ids = output.Split(' ');
        return code == 0
            ? new(uint.Parse(ids[0], CultureInfo.InvariantCulture), uint.Parse(ids[1], CultureInfo.InvariantCulture))
            : throw new EmbeddedServerException($"Could not find out whom {path} belongs to: {output}");
    }
}
