namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>
/// A log's own folder, ours while this process lives: <c>DIR/{id}/</c> with the file <c>lock</c>, on which the kernel holds an flock for us and lets go however we die. Several
/// instances may be given the same DIR: each takes a folder of its own, the ones that the dead left behind first.
/// </summary>
internal sealed class LogFolder : IDisposable
{
    private const string LockFile = "lock";
    private const UnixFileMode Mine = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly FileStream held;

    private LogFolder(string path, Guid id, FileStream held) => (Path, Id, this.held) = (path, id, held);

    public string Path { get; }

    /// <summary>The log's id: its folder's name.</summary>
    public Guid Id { get; }

    /// <summary>Takes every folder that nobody holds: what is in them is to be shipped. None, if there is none.</summary>
    public static IReadOnlyList<LogFolder> TakeAbandoned(string directory)
    {
        Create(directory);
        var taken = new List<LogFolder>();
        foreach (var path in Directory.EnumerateDirectories(directory).Order(StringComparer.Ordinal))
        {
            if (Guid.TryParseExact(System.IO.Path.GetFileName(path), "N", out var id) && TryTake(path, id) is { } folder)
            {
                taken.Add(folder);
            }
        }

        return taken;
    }

    /// <summary>Makes a new one.</summary>
    public static LogFolder New(string directory, TimeProvider time)
    {
        Create(directory);
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var path = System.IO.Path.Combine(directory, id.ToString("N"));
        Create(path);
        Disk.SyncDirectory(directory);
        return TryTake(path, id) ?? throw new IOException($"The new folder {path} is locked by another process.");
    }

    /// <summary>Removes it, with all that is in it.</summary>
    public void Delete()
    {
        Directory.Delete(Path, recursive: true);
        Dispose();
    }

    public void Dispose() => held.Dispose();

    private static LogFolder? TryTake(string path, Guid id)
    {
        try
        {
            var held = new FileStream(System.IO.Path.Combine(path, LockFile), new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
            });
            if (Directory.Exists(path) && File.Exists(held.Name))
            {
                return new LogFolder(path, id, held);
            }

            held.Dispose(); // Its last owner removed it while we came.
            return null;
        }
        catch (DirectoryNotFoundException)
        {
            return null;
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            return null;
        }
    }

    private static void Create(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, Mine);
        }
    }

    // EWOULDBLOCK of flock as .NET reports it on Linux and macOS; a sharing violation on Windows.
    private static int WouldBlock => OperatingSystem.IsWindows() ? unchecked((int)0x80070020) : OperatingSystem.IsMacOS() ? 35 : 11;
}
