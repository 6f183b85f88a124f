// A process that appends to a usage log until it is killed: `UsageLogAppender DIRECTORY` prints "ready", then the number of every entry of its own that is on disk.
using System.Globalization;
using System.Text;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Microsoft.Extensions.Logging.Abstractions;

var folder = LogFolder.TakeAbandoned(args[0]) is [var left, ..] ? left : LogFolder.New(args[0], TimeProvider.System);
var last = LogReader.Read(folder.Path, []).LastOrDefault().Sequence;
using var log = new LogWriter(folder.Path, folder.Id, last, new LogSize(32 * 1024, 100_000), NullLogger.Instance);
await using var said = Console.OpenStandardOutput();
await said.WriteAsync("ready\n"u8.ToArray());
await Task.WhenAll(Enumerable.Range(0, 4).Select(AppendAsync));

async Task AppendAsync(int lane)
{
    for (var i = 0; ; i++)
    {
        var sequence = log.Append(EntryKind.Outcome, Encoding.UTF8.GetBytes(new string((char)('a' + lane), 50 + (i % 400))));
        await log.SyncAsync(sequence);
        await said.WriteAsync(Encoding.UTF8.GetBytes(sequence.ToString(CultureInfo.InvariantCulture) + "\n"));
    }
}
