using System.Text;
using LlmMarketplace.Consumption.Metering.UsageLog;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

public sealed class LogWriterTests : IDisposable
{
    private readonly LogFiles files = new();

    [Fact]
    public async Task Entries_of_many_writers_are_on_disk_once_each_in_the_order_of_their_sequence()
    {
        using (var log = files.Writer())
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(async lane =>
            {
                await Task.Yield();
                for (var i = 0; i < 100; i++)
                {
                    await log.SyncAsync(log.Append(EntryKind.Outcome, Encoding.UTF8.GetBytes($"{lane}-{i}")), here: lane % 2 == 0);
                }
            }));
        }

        var (entries, damage) = files.Read();
        Assert.Empty(damage);
        Assert.Equal(Enumerable.Range(1, 801).Select(n => (long)n), entries.Select(entry => entry.Sequence));
        Assert.Equal(EntryKind.Closed, entries[^1].Kind);
        Assert.Equal(
            Enumerable.Range(0, 8).SelectMany(lane => Enumerable.Range(0, 100).Select(i => $"{lane}-{i}")).Order(StringComparer.Ordinal),
            entries.SkipLast(1).Select(LogFiles.Text).Order(StringComparer.Ordinal));
        Assert.True(Segment.In(files.Path).Count > 5);
    }

    [Fact]
    public async Task An_entry_that_nobody_waits_for_is_synced_before_long()
    {
        using var log = files.Writer();
        var synced = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        log.Advanced += () => synced.TrySetResult();

        log.Append(EntryKind.Intent, "intent"u8);
        log.SyncSoon();

        await synced.Task.WaitAsync(TimeSpan.FromMinutes(3));
        Assert.Equal(Segment.HeaderSize + Frame.SizeOf(6), log.SyncedEnd.Offset);
    }

    [Fact]
    public async Task Nothing_is_acknowledged_before_the_disk_has_it()
    {
        using var hold = new ManualResetEventSlim();
        using var log = files.Writer(sync: _ => hold.Wait());

        var waits = log.SyncAsync(log.Append(EntryKind.Outcome, "one"u8));

        Assert.False(waits.IsCompleted);
        hold.Set();
        await waits;
    }

    [Fact]
    public async Task Who_has_nothing_else_to_do_syncs_by_itself()
    {
        var by = 0;
        using var log = files.Writer(sync: file =>
        {
            Volatile.Write(ref by, Environment.CurrentManagedThreadId);
            Disk.Sync(file);
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        for (var isOwn = false; !isOwn; patience.Token.ThrowIfCancellationRequested())
        {
            var own = Environment.CurrentManagedThreadId;
            var synced = log.SyncAsync(log.Append(EntryKind.Outcome, "one"u8), here: true);
            isOwn = synced.IsCompletedSuccessfully && Volatile.Read(ref by) == own; // Else the pool was busy.
            await synced;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failed_sync_is_never_forgotten(bool here)
    {
        var failures = 1;
        using var log = files.Writer(sync: file =>
        {
            if (failures-- > 0)
            {
                throw new IOException("fdatasync: Input/output error");
            }

            Disk.Sync(file);
        });
        Assert.True(log.HasRoom);

        var first = log.Append(EntryKind.Outcome, "one"u8);
        await Assert.ThrowsAsync<LogUnavailableException>(() => log.SyncAsync(first, here));

        Assert.IsType<IOException>(log.Failure);
        Assert.False(log.HasRoom);
        Assert.Throws<LogUnavailableException>(() => log.Append(EntryKind.Outcome, "two"u8));
        await Assert.ThrowsAsync<LogUnavailableException>(() => log.SyncAsync(first));
    }

    [Fact]
    public void A_full_log_takes_no_new_calls_but_the_ends_of_the_open_ones_and_has_room_again_once_shipped()
    {
        using var log = files.Writer(segmentBytes: 4_096, maxSegments: 3);
        var payload = new byte[400];
        var taken = 0;
        while (log.HasRoom)
        {
            log.Append(EntryKind.Intent, payload);
            taken++;
        }

        Assert.Equal(9 + 9 + 5, taken); // Two segments and a half.
        for (var i = 0; i < 3; i++)
        {
            log.Append(EntryKind.Outcome, payload);
        }

        var refused = Assert.Throws<LogUnavailableException>(() =>
        {
            for (var i = 0; i < 100; i++)
            {
                log.Append(EntryKind.Outcome, payload);
            }
        });
        Assert.Contains("full", refused.Message, StringComparison.Ordinal);
        Assert.Null(log.Failure);

        log.Release(new LogPosition(3, Segment.HeaderSize));
        Assert.True(SpinWait.SpinUntil(() => log.HasRoom, TimeSpan.FromSeconds(30)));
        log.Append(EntryKind.Intent, payload);
        Assert.True(Segment.In(files.Path).Count <= 4);
    }

    [Fact]
    public async Task What_was_written_is_followed_as_far_as_it_is_on_disk_across_segments()
    {
        using var log = files.Writer();
        using var tail = new LogTail(files.Path, log.SyncedEnd, damage => Assert.Fail($"{damage}"));
        var seen = new List<long>();
        for (var i = 1; i <= 300; i++)
        {
            var sequence = log.Append(EntryKind.Outcome, new byte[i * 3]);
            if (i % 7 == 0)
            {
                await log.SyncAsync(sequence);
                tail.Read(log.SyncedEnd, 5, record => seen.Add(record.Sequence));
            }
        }

        await log.SyncAsync(300);
        while (tail.Position < log.SyncedEnd)
        {
            tail.Read(log.SyncedEnd, 5, record => seen.Add(record.Sequence));
        }

        Assert.Equal(Enumerable.Range(1, 300).Select(n => (long)n), seen);
    }

    [Theory]
    [InlineData(1, 3, false)] // A full segment, a flipped bit.
    [InlineData(1, 3, true)] // The same, and zeros.
    [InlineData(3, 1, false)] // The segment that is being written.
    [InlineData(3, 1, true)]
    public async Task Damage_in_what_is_followed_is_told_and_every_whole_entry_around_it_is_read(uint segment, int frame, bool zeros)
    {
        const int Payload = 480;
        const int PerSegment = 7;
        using var log = files.Writer();
        var damage = new List<Damage>();
        using var tail = new LogTail(files.Path, log.SyncedEnd, damage.Add);
        for (var i = 1; i <= (2 * PerSegment) + 3; i++)
        {
            await log.SyncAsync(log.Append(EntryKind.Outcome, new byte[Payload]));
        }

        Assert.Equal(3u, log.SyncedEnd.Segment);
        LogPosition at = new(segment, Segment.HeaderSize + (frame * Frame.SizeOf(Payload)));
        using (var file = File.OpenHandle(Segment.PathOf(files.Path, segment), access: FileAccess.ReadWrite, share: FileShare.ReadWrite))
        {
            RandomAccess.Write(file, zeros ? new byte[Frame.SizeOf(Payload)] : [1], at.Offset + (zeros ? 0 : 100));
        }

        var seen = new List<long>();
        while (tail.Position < log.SyncedEnd)
        {
            tail.Read(log.SyncedEnd, 5, record => seen.Add(record.Sequence));
        }

        var lost = ((segment - 1) * PerSegment) + frame + 1;
        Assert.Equal(Enumerable.Range(1, (2 * PerSegment) + 3).Select(n => (long)n).Where(n => n != lost), seen);
        Assert.Equal([new Damage(at, Frame.SizeOf(Payload), false)], damage);
    }

    [Fact]
    public async Task An_entry_that_zeros_took_at_the_end_of_a_full_segment_is_missed_by_its_number()
    {
        using var log = files.Writer();
        var damage = new List<Damage>();
        using var tail = new LogTail(files.Path, log.SyncedEnd, damage.Add);
        for (var i = 1; i <= 10; i++)
        {
            await log.SyncAsync(log.Append(EntryKind.Outcome, new byte[480])); // Seven to a segment.
        }

        using (var file = File.OpenHandle(Segment.PathOf(files.Path, 1), access: FileAccess.ReadWrite, share: FileShare.ReadWrite))
        {
            RandomAccess.Write(file, new byte[Frame.SizeOf(480)], Segment.HeaderSize + (6 * Frame.SizeOf(480)));
        }

        var seen = new List<long>();
        tail.Read(log.SyncedEnd, 100, record => seen.Add(record.Sequence));

        Assert.Equal([1, 2, 3, 4, 5, 6, 8, 9, 10], seen);
        Assert.Equal([new Damage(new LogPosition(2, Segment.HeaderSize), 0, false)], damage);
    }

    public void Dispose() => files.Dispose();
}
