using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>Makes the disk keep what was written.</summary>
internal static partial class Disk
{
    private const int Interrupted = 4; // EINTR

    /// <summary>
    /// The data of a file whose length does not change. Linux has a call for just that, which leaves the time of the change alone and so spares the file system's journal.
    /// </summary>
    /// <exception cref="IOException">It is not known what the disk has: the kernel forgets a failure once told, so a second try proves nothing.</exception>
    public static void Sync(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file);
            return;
        }

        while (DataSync(file) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                throw Failure("fdatasync");
            }
        }
    }

    /// <summary>The names in a directory.</summary>
    /// <exception cref="IOException">It failed.</exception>
    public static void SyncDirectory(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // NTFS keeps names in its journal, and offers no such call.
        }

        var directory = Open(path, 0);
        if (directory < 0)
        {
            throw Failure("open");
        }

        try
        {
            if (FileSync(directory) != 0)
            {
                throw Failure("fsync");
            }
        }
        finally
        {
            _ = Close(directory);
        }
    }

    private static IOException Failure(string call) => new($"{call}: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int DataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int FileSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Close(int descriptor);
}
