using System.Diagnostics;

namespace LlmMarketplace.Consumption.Metering.UsageLog;

/// <content>How one segment follows another: the next is made ahead, from one that is shipped if there is one.</content>
internal sealed partial class LogWriter
{
    /// <summary>Segments before this place are not needed any more.</summary>
    public void Release(LogPosition shipped)
    {
        lock (gate)
        {
            if (isClosing)
            {
                return;
            }

            while (used.Count > 1 && used[0] < shipped.Segment && used[0] < end.Segment)
            {
                free.Enqueue(Segment.PathOf(folder, used[0]));
                used.RemoveAt(0);
                making.Set();
            }
        }
    }

    /// <summary>Goes on in the next segment.</summary>
    private void Turn()
    {
        var patience = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
        while (next is null && used.Count < size.MaxSegments && failure is null && !isStuck && Stopwatch.GetTimestamp() < patience)
        {
            Monitor.Wait(gate, TimeSpan.FromMilliseconds(50)); // It is being made.
        }

        EnsureOpen();
        if (next is not { } made)
        {
            throw new LogUnavailableException("The usage log is full.", null);
        }

        unsynced.Add(current);
        (current, end, next) = (made.Handle, new LogPosition(made.Number, Segment.HeaderSize), null);
        used.Add(made.Number);
        making.Set();
    }

    private void MakeLoop()
    {
        while (true)
        {
            uint number;
            string? recycled;
            string? surplus = null;
            while (!HasToMake())
            {
                making.WaitOne();
            }

            lock (gate)
            {
                if (isClosing || failure is not null)
                {
                    return;
                }

                recycled = null;
                if (next is not null || used.Count >= size.MaxSegments)
                {
                    surplus = free.Dequeue();
                }
                else
                {
                    free.TryDequeue(out recycled);
                }

                number = end.Segment + 1;
            }

            try
            {
                if (surplus is not null)
                {
                    File.Delete(surplus);
                    continue;
                }

                var handle = Segment.Create(folder, id, number, size.SegmentBytes, recycled);
                lock (gate)
                {
                    (next, isStuck) = ((handle, number), false);
                    Monitor.PulseAll(gate);
                }
            }
            catch (Exception broken) when (broken is IOException or UnauthorizedAccessException)
            {
                Log.NoSegment(logger, folder, broken);
                lock (gate)
                {
                    isStuck = true;
                }

                making.WaitOne(Again);
            }
        }
    }

    private bool HasToMake()
    {
        lock (gate)
        {
            return isClosing || failure is not null || free.Count > 1 || (next is null && used.Count < size.MaxSegments);
        }
    }
}
