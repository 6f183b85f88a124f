using System.Text;
using LlmMarketplace.Consumption.Metering.UsageLog;
using LlmMarketplace.Servers;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>A log in a folder of its own, and what a reader finds there.</summary>
internal sealed class LogFiles : IDisposable
{
    private readonly TestDirectory directory = new("usage-log");

    public string Path => directory.Path;

    public LogWriter Writer(long segmentBytes = 4_096, int maxSegments = 1_000, Action<SafeFileHandle>? sync = null) =>
        new(Path, Guid.CreateVersion7(), Read().Entries.LastOrDefault().Sequence, new LogSize(segmentBytes, maxSegments), NullLogger.Instance, sync);

    public (List<LogRecord> Entries, IReadOnlyList<Damage> Damage) Read()
    {
        var damage = new List<Damage>();
        return ([.. LogReader.Read(Path, damage)], damage);
    }

    /// <summary>Writes a log of one segment as a process that died leaves it, and gives the file and where each entry lies in it.</summary>
    public (string File, (int From, int To)[] Entries) Leave(int segmentBytes, params string[] texts)
    {
        var path = Segment.PathOf(Path, 1);
        Segment.Create(Path, Guid.CreateVersion7(), 1, segmentBytes, null).Dispose();
        var bytes = File.ReadAllBytes(path);
        var (at, places) = (Segment.HeaderSize, new List<(int, int)>());
        for (var i = 0; i < texts.Length; i++)
        {
            var payload = Encoding.UTF8.GetBytes(texts[i]);
            var size = Frame.SizeOf(payload.Length);
            Frame.Write(bytes.AsSpan(at, size), i + 1, 1, EntryKind.Outcome, payload);
            places.Add((at, at + size));
            at += size;
        }

        File.WriteAllBytes(path, bytes);
        return (path, [.. places]);
    }

    public static string Text(LogRecord record) => Encoding.UTF8.GetString(record.Payload);

    public void Dispose() => directory.Dispose();
}
