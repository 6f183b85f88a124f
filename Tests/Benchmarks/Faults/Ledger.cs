using System.Text;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>What a process saw, a line for each, handed to the kernel at once: <c>kill -9</c> takes none of it.</summary>
internal sealed class Ledger : IDisposable
{
    private readonly FileStream file;
    private readonly Lock gate = new();

    public Ledger(string path) => file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);

    public void Write(string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\n");
        lock (gate)
        {
            file.Write(bytes);
        }
    }

    /// <summary>The whole lines of a ledger; none when there is none yet.</summary>
    public static string[] Read(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file, Encoding.UTF8);
        var text = reader.ReadToEnd();
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public void Dispose() => file.Dispose();
}
