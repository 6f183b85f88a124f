using System.Buffers;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <summary>How large the log may become.</summary>
/// <param name="SegmentBytes">Of each segment.</param>
/// <param name="MaxSegments">Segments on disk, at most: with the current one and the next.</param>
internal sealed record LogSize(long SegmentBytes, int MaxSegments);

/// <summary>
/// The log that this process appends to.
/// <code>
/// Append ──► the kernel has it: it outlives this process        SyncAsync ──► the disk has it: it outlives the machine
///   (lock, one write)                                             (one at a time; whoever comes while a sync is under way shares the next one)
/// SyncSoon: the next sync takes it along; there will be one within <see cref="Soon"/>
/// </code>
/// Who comes first, and has nothing else to do, may sync by itself: to wake the log's thread for it takes as long as the rest of it. Else that thread syncs.
/// A failed write or sync ends the log for good: what the disk has then is not known, and a second sync that succeeds would not tell. The next segment is made ahead by a second
/// thread; when there may be no more, the log is full until some are <see cref="Release">shipped</see>.
/// </summary>
internal sealed partial class LogWriter : IDisposable
{
    /// <summary>How long an entry that nobody waits for may stay unsynced.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(5);

    private const int LooksUntilIdle = 20;
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);
    private readonly object gate = new(); // A monitor: whoever needs the next segment waits on it.
    private readonly AutoResetEvent syncing = new(false);
    private readonly AutoResetEvent making = new(false);
    private readonly string folder;
    private readonly Guid id;
    private readonly LogSize size;
    private readonly Action<SafeFileHandle> sync;
    private readonly ILogger logger;
    private readonly Queue<string> free = new();
    private readonly List<uint> used = [];
    private readonly List<SafeFileHandle> unsynced = [];
    private readonly Thread syncer;
    private readonly Thread maker;
    private SafeFileHandle current;
    private (SafeFileHandle Handle, uint Number)? next;
    private LogPosition end;
    private LogPosition syncedEnd;
    private long appended;
    private long synced;
    private Group waiting = new();
    private Group underWay = new();
    private bool isSyncing;
    private bool isWanted;
    private bool isSoon;
    private bool isLooking;
    private bool isClosing;
    private bool isStuck;
    private Exception? failure;

    /// <param name="folder">Of this log alone; its segments are those that are left from before, and will be released.</param>
    /// <param name="id">The log's id.</param>
    /// <param name="lastSequence">Of what is left from before.</param>
    /// <param name="size">How large it may become.</param>
    /// <param name="logger">Where failures are told.</param>
    /// <param name="sync">Makes the disk keep a file; <see cref="Disk.Sync"/> unless a test says otherwise.</param>
    public LogWriter(string folder, Guid id, long lastSequence, LogSize size, ILogger logger, Action<SafeFileHandle>? sync = null)
    {
        (this.folder, this.id, this.size, this.logger, this.sync) = (folder, id, size, logger, sync ?? Disk.Sync);
        used.AddRange(Segment.In(folder));
        appended = synced = lastSequence;
        var first = used.Count == 0 ? 1 : used[^1] + 1;
        current = Segment.Create(folder, id, first, size.SegmentBytes, null);
        used.Add(first);
        end = syncedEnd = new LogPosition(first, Segment.HeaderSize);
        syncer = new Thread(SyncLoop) { IsBackground = true, Name = "usage log: sync" };
        maker = new Thread(MakeLoop) { IsBackground = true, Name = "usage log: next segment" };
        syncer.Start();
        maker.Start();
    }

    /// <summary>Where the entries that are on disk end.</summary>
    public LogPosition SyncedEnd
    {
        get
        {
            lock (gate)
            {
                return syncedEnd;
            }
        }
    }

    /// <summary>The last sequence that is on disk.</summary>
    public long SyncedSequence
    {
        get
        {
            lock (gate)
            {
                return synced;
            }
        }
    }

    /// <summary>Raised, on a thread of the log's, when more is on disk.</summary>
    public event Action? Advanced;

    /// <summary>Why nothing can be appended any more, or null.</summary>
    public Exception? Failure => Volatile.Read(ref failure);

    /// <summary>Whether new calls may come: the rest is kept for the ends of those that are under way.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
            {
                return failure is null && !isClosing && (next is not null || end.Offset < size.SegmentBytes / 2 || (used.Count < size.MaxSegments && !isStuck));
            }
        }
    }

    /// <summary>Appends an entry and gives its sequence; it outlives this process then, and the machine once <see cref="SyncAsync"/> says so.</summary>
    /// <exception cref="LogUnavailableException">The log is full, failed or closed; nothing is appended, or nobody knows.</exception>
    public long Append(EntryKind kind, ReadOnlySpan<byte> payload)
    {
        var length = Frame.SizeOf(payload.Length);
        if (payload.Length > Frame.MaxPayload || length > size.SegmentBytes - Segment.HeaderSize)
        {
            throw new LogUnavailableException($"An entry of {payload.Length} bytes is larger than the usage log takes.", null);
        }

        var frame = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            lock (gate)
            {
                EnsureOpen();
                if (end.Offset + length > size.SegmentBytes)
                {
                    Turn();
                }

                var sequence = appended + 1;
                Frame.Write(frame.AsSpan(0, length), sequence, end.Segment, kind, payload);
                try
                {
                    RandomAccess.Write(current, frame.AsSpan(0, length), end.Offset);
                }
                catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
                {
                    Fail(broken);
                    throw new LogUnavailableException("The usage log cannot be written.", broken);
                }

                end = end with { Offset = end.Offset + length };
                return appended = sequence;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(frame);
        }
    }

    /// <summary>Ends when the disk has the entry; by itself if nobody else wants a sync.</summary>
    /// <param name="sequence">The entry's.</param>
    /// <param name="here">Whether this thread may make the sync, and be held up by the disk; it does when nothing waits for a thread of the pool.</param>
    /// <exception cref="LogUnavailableException">Nobody knows whether the disk has it.</exception>
    public Task SyncAsync(long sequence, bool here = false)
    {
        here = here && ThreadPool.PendingWorkItemCount == 0;
        Sync own;
        lock (gate)
        {
            if (sequence <= synced)
            {
                return Task.CompletedTask;
            }

            if (failure is not null)
            {
                return Task.FromException(new LogUnavailableException("The usage log failed.", failure));
            }

            if (sequence <= underWay.Target)
            {
                return underWay.Done.Task;
            }

            if (isSyncing || isWanted || !here)
            {
                var next = waiting.Done.Task;
                if (!isWanted)
                {
                    isWanted = true;
                    if (!isSyncing)
                    {
                        syncing.Set();
                    }
                }

                return next;
            }

            own = Begin();
        }

        Run(own);
        return own.Group.Done.Task;
    }

    /// <summary>Has everything that is appended synced within <see cref="Soon"/>.</summary>
    public void SyncSoon()
    {
        lock (gate)
        {
            isSoon = true;
            if (!isLooking && !isClosing)
            {
                isLooking = true;
                syncing.Set();
            }
        }
    }

    /// <summary>Closes in order: what is appended is synced.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isClosing)
            {
                return;
            }
        }

        try
        {
            Append(EntryKind.Closed, []);
        }
        catch (LogUnavailableException)
        {
            // Full or failed: it is not closed in order then, and the next reader is told no more than that.
        }

        lock (gate)
        {
            isClosing = true;
        }

        syncing.Set();
        making.Set();
        syncer.Join();
        maker.Join();
        syncing.Dispose();
        making.Dispose();
        current.Dispose();
        next?.Handle.Dispose();
        unsynced.ForEach(handle => handle.Dispose());
    }

    private void EnsureOpen()
    {
        if (failure is not null || isClosing)
        {
            throw new LogUnavailableException(failure is null ? "The usage log is closed." : "The usage log failed.", failure);
        }
    }

    private void SyncLoop()
    {
        while (true)
        {
            AwaitWork();
            Sync next;
            lock (gate)
            {
                if (failure is not null || (isClosing && synced == appended && !isSyncing))
                {
                    return;
                }

                if (isSyncing)
                {
                    continue;
                }

                next = Begin();
            }

            Run(next);
        }
    }

    /// <summary>What the next sync takes along. The lock is held.</summary>
    private Sync Begin()
    {
        (isSyncing, isWanted, isSoon) = (true, false, false);
        (underWay, waiting) = (waiting, new Group());
        underWay.Target = appended;
        List<SafeFileHandle>? finished = null;
        if (unsynced.Count > 0)
        {
            finished = [.. unsynced];
            unsynced.Clear();
        }

        return new Sync(underWay, finished, current, end);
    }

    private void Run(Sync begun)
    {
        try
        {
            begun.Finished?.ForEach(sync);
            sync(begun.Last);
        }
#pragma warning disable CA1031 // Whatever it is: nobody knows what is on disk.
        catch (Exception broken)
#pragma warning restore CA1031
        {
            lock (gate)
            {
                isSyncing = false;
                Fail(broken);
            }

            begun.Group.Done.TrySetException(new LogUnavailableException("The usage log could not be synced.", broken));
            return;
        }

        begun.Finished?.ForEach(file => file.Dispose());
        lock (gate)
        {
            (synced, syncedEnd) = (begun.Group.Target, begun.Until);
        }

        begun.Group.Done.TrySetResult();
        Advanced?.Invoke();
        lock (gate)
        {
            isSyncing = false;
            if (isWanted || isClosing)
            {
                syncing.Set();
            }
        }
    }

    /// <summary>Ends when a sync is wanted, or an entry was there for as long as it may. While entries come, it looks by itself: so that those that nobody waits for wake nobody.</summary>
    private void AwaitWork()
    {
        var looks = 0;
        while (true)
        {
            TimeSpan pause;
            lock (gate)
            {
                if (failure is not null || (!isSyncing && (isWanted || isClosing || (isSoon && looks > 0))))
                {
                    return;
                }

                isLooking = isSoon || looks < LooksUntilIdle;
                pause = isLooking ? Soon : Timeout.InfiniteTimeSpan;
            }

            looks = syncing.WaitOne(pause) ? 0 : looks + 1;
        }
    }

    /// <summary>Ends the log. The lock is held.</summary>
    private void Fail(Exception broken)
    {
        if (failure is not null)
        {
            return;
        }

        failure = broken;
        Log.Failed(logger, folder, broken);
        waiting.Done.TrySetException(new LogUnavailableException("The usage log failed.", broken));
        syncing.Set();
        making.Set();
    }

    /// <summary>A sync: whom it serves, the files that are finished, if any, and the one that is not, up to where.</summary>
    private readonly record struct Sync(Group Group, List<SafeFileHandle>? Finished, SafeFileHandle Last, LogPosition Until);

    /// <summary>Those who wait for the same sync.</summary>
    private sealed class Group
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The last sequence that it takes along, once it is under way.</summary>
        public long Target { get; set; }
    }

    private static partial class Log
    {
        [LoggerMessage(5131, LogLevel.Critical, "The usage log in {Folder} failed and takes nothing more; no call is admitted until this process is started again on a sound disk.")]
        public static partial void Failed(ILogger logger, string folder, Exception broken);

        [LoggerMessage(5132, LogLevel.Error, "The next segment of the usage log in {Folder} could not be made; tried again. When the current one is half full, no call is admitted.")]
        public static partial void NoSegment(ILogger logger, string folder, Exception broken);
    }
}

/// <summary>The usage log takes nothing now.</summary>
internal sealed class LogUnavailableException(string message, Exception? inner) : Exception(message, inner);
