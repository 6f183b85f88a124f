using LlmMarketplace.Consumption.Metering.UsageLog;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>Entries of a log that are shipped together: of a call that began and ended in them only the end counts.</summary>
internal sealed class UsageEntries
{
    private readonly List<UsageRecord> records = [];
    private readonly Dictionary<Guid, AdmissionRow> open = [];

    public IReadOnlyList<UsageRecord> Records => records;

    /// <summary>Calls that did not end in them.</summary>
    public IReadOnlyDictionary<Guid, AdmissionRow> Open => open;

    public int Count { get; private set; }

    /// <summary>The last sequence.</summary>
    public long Last { get; private set; }

    public void Add(LogRecord entry)
    {
        (Count, Last) = (Count + 1, entry.Sequence);
        switch (entry.Kind)
        {
            case EntryKind.Intent:
                var admission = LogEntry.ReadIntent(entry.Payload);
                open[admission.RequestId] = admission;
                break;
            case EntryKind.Outcome:
                var record = LogEntry.ReadOutcome(entry.Payload);
                open.Remove(record.RequestId);
                records.Add(record);
                break;
            case EntryKind.Closed:
                break;
            default:
                throw new LogFormatException($"An entry of the usage log has kind {entry.Kind}, which this program does not know: start the program that wrote it once more, so that it ships what is left.");
        }
    }

    /// <param name="log">Which log they are of.</param>
    /// <param name="wasOpen">Whether PostgreSQL may know a call as open.</param>
    public UsageBatch ToBatch(Guid log, Func<Guid, bool> wasOpen) => new(records, [.. open.Values], [.. records.Select(record => record.RequestId).Where(wasOpen)], (log, Last));
}
