using LlmMarketplace.Embedded;
using Spectre.Console;

namespace LlmMarketplace.AllInOne;

/// <summary>
/// The one folder that holds everything, ours alone while we run:
/// <code>
/// DIR/lock              an flock says who runs on it
///     keys/             keys and secrets (mode 600); see <see cref="KeyRing"/>
///     postgres/         the private cluster
///     logs/             what services say
///     usage-log/        calls that are not in the database yet: what was paid for stands here first
///     first-run.json    address, sign-in and a key that works (mode 600)
///     first-run.state   how far the first start's publications got (mode 600)
/// </code>
/// </summary>
internal sealed class DataDirectory : IDisposable
{
    /// <summary>The folder of the usage log, in the data directory.</summary>
    public const string UsageLog = "usage-log";

    private static readonly string[] OwnFolders = ["postgres", "keys", "logs", UsageLog];
    private readonly DirectoryLock directoryLock;

    private DataDirectory(string path, DirectoryLock directoryLock) => (Root, this.directoryLock) = (path, directoryLock);

    /// <summary>XDG's place for a user's data.</summary>
    public static string Default => Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } home ? home : Path.GetTempPath(),
        "llm-marketplace");

    public string Root { get; }

    public string Keys => Path.Combine(Root, "keys");

    public string Postgres => Path.Combine(Root, "postgres");

    public string Logs => Path.Combine(Root, "logs");

    public string FirstRunFile => Path.Combine(Root, "first-run.json");

    public string FirstRunState => Path.Combine(Root, "first-run.state");

    /// <summary>Whether an earlier start left data that needs its keys.</summary>
    public bool HasData => Directory.Exists(Path.Combine(Postgres, "cluster"));

    /// <summary>Takes the folder for this process.</summary>
    /// <exception cref="EmbeddedServerException">It is in use or cannot be written.</exception>
    public static DataDirectory Open(RunOptions options)
    {
        if (!Directory.Exists(options.Directory))
        {
            Create(options.Directory);
        }

        return new(options.Directory, DirectoryLock.Take(options.Directory));
    }

    /// <summary>Removes what earlier starts made, and nothing else; asks first.</summary>
    public void Reset(bool withoutAsking)
    {
        if (!withoutAsking)
        {
            if (Console.IsInputRedirected)
            {
                throw new StartException("--reset asks first, and there is nobody to ask: say --reset --yes.");
            }

            if (!AnsiConsole.Confirm($"Remove all data, keys and listings in {Markup.Escape(Root)}?", defaultValue: false))
            {
                throw new StartException("Nothing was removed; start without --reset to go on with the data that is there.");
            }
        }

        File.Delete(FirstRunFile);
        File.Delete(FirstRunState);
        foreach (var folder in OwnFolders.Select(name => Path.Combine(Root, name)).Where(Directory.Exists))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public void Dispose() => directoryLock.Dispose();

    // As root PostgreSQL runs under another account, which has to pass through; what is in here is closed by itself.
    private static void Create(string path)
    {
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        try
        {
            Directory.CreateDirectory(path, Environment.IsPrivilegedProcess ? mine | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : mine);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"The directory {path} cannot be made ({e.Message}): choose another with --data.", e);
        }
    }
}
