using System.Diagnostics;
using System.Globalization;
using LlmMarketplace.Consumption.Metering.UsageLog;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

public sealed class LogFolderTests : IDisposable
{
    private readonly TestDirectory directory = new("usage-logs");

    [Fact]
    public void Two_instances_never_share_a_folder_and_one_that_is_left_is_taken_by_the_next()
    {
        using var one = LogFolder.New(directory.Path, TimeProvider.System);
        Assert.Empty(LogFolder.TakeAbandoned(directory.Path));
        var two = LogFolder.New(directory.Path, TimeProvider.System);
        Assert.NotEqual(one.Path, two.Path);

        two.Dispose();

        using var taken = Assert.Single(LogFolder.TakeAbandoned(directory.Path));
        Assert.Equal(two.Id, taken.Id);
    }

    [Fact]
    public async Task A_process_that_is_killed_loses_nothing_that_it_acknowledged()
    {
        var acknowledged = new List<long>();
        for (var life = 0; life < 12; life++)
        {
            acknowledged.AddRange(await LiveAndDieAsync(lines: 1 + (life * 37)));

            using var folder = Assert.Single(LogFolder.TakeAbandoned(directory.Path));
            List<LogRecord> found = [.. LogReader.Read(folder.Path, [])];
            Assert.Equal(Enumerable.Range(1, found.Count).Select(n => (long)n), found.Select(entry => entry.Sequence));
            Assert.All(found, entry => Assert.Single(entry.Payload.Distinct()));
            Assert.Empty(acknowledged.Except(found.Select(entry => entry.Sequence)));
        }

        Assert.Equal(acknowledged.Count, acknowledged.Distinct().Count());
    }

    /// <summary>Runs a process that appends, kills it once it has acknowledged so many entries, and gives all that it acknowledged.</summary>
    private async Task<List<long>> LiveAndDieAsync(int lines)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "LlmMarketplace.UsageLogAppender.dll"), directory.Path]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("ready", await process.StandardOutput.ReadLineAsync());
            var heard = new List<long>();
            while (heard.Count < lines)
            {
                heard.Add(long.Parse((await process.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture));
            }

            process.Kill();
            while (await process.StandardOutput.ReadLineAsync() is { } line)
            {
                heard.Add(long.Parse(line, CultureInfo.InvariantCulture));
            }

            return heard;
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    public void Dispose() => directory.Dispose();
}
