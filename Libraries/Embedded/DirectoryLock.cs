namespace LlmMarketplace.Embedded;

/// <summary>
/// Says that a directory is ours while this process lives: an flock on a file in it, which the kernel lets go when the process dies, however it dies.
/// </summary>
public sealed class DirectoryLock : IDisposable
{
    private readonly FileStream file;

    private DirectoryLock(FileStream file) => this.file = file;

    /// <summary>Creates the directory if need be and locks it.</summary>
    /// <exception cref="EmbeddedServerException">Another instance holds it, or it cannot be written.</exception>
    public static DirectoryLock Take(string directory)
    {
        var path = Path.Combine(directory, "lock");
        try
        {
            Directory.CreateDirectory(directory);
            var options = new FileStreamOptions
            {
                Mode = FileMode.OpenOrCreate,
                Access = FileAccess.ReadWrite,
                Share = FileShare.None,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            return new DirectoryLock(new FileStream(path, options));
        }
        catch (UnauthorizedAccessException e)
        {
            throw Unwritable(directory, e);
        }
        catch (IOException e) when (File.Exists(path) && IsLocked(e))
        {
            throw new EmbeddedServerException($"Another instance is running on {directory}: stop it first, or choose another data directory.", e);
        }
        catch (IOException e)
        {
            throw Unwritable(directory, e);
        }
    }

    /// <summary>Lets the directory go.</summary>
    public void Dispose() => file.Dispose();

    // EWOULDBLOCK of flock, as .NET reports it on Linux.
    private static bool IsLocked(IOException e) => e.HResult == 11;

    private static EmbeddedServerException Unwritable(string directory, Exception e) =>
        new($"The directory {directory} cannot be written ({e.Message}): make it writable for this user, or choose another data directory.", e);
}
