using LlmMarketplace.Consumption.Metering;
using Npgsql;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>
/// Adds calls to the figures of their versions, in the transaction that writes their records: so each counts once, whatever is written again. All writers take the rows in the same order, so that
/// they wait for each other and never in a circle.
/// </summary>
internal static class CountForSla
{
    private const string Intervals =
        """
        INSERT INTO sla_intervals AS i (version_id, start, listing_id, calls, failures, worst_ms) SELECT * FROM unnest($1, $2, $3, $4, $5, $6) AS c (version_id, start) ORDER BY 1, 2
        ON CONFLICT (version_id, start) DO UPDATE SET calls = i.calls + excluded.calls, failures = i.failures + excluded.failures, worst_ms = greatest(i.worst_ms, excluded.worst_ms)
        """;

    private const string Days =
        """
        INSERT INTO sla_days AS d (version_id, day, listing_id, calls, failures) SELECT * FROM unnest($1, $2, $3, $4, $5) AS c (version_id, day) ORDER BY 1, 2
        ON CONFLICT (version_id, day) DO UPDATE SET calls = d.calls + excluded.calls, failures = d.failures + excluded.failures
        """;

    /// <param name="connection">In the transaction that wrote the records.</param>
    /// <param name="records">What was written, and counted nowhere before.</param>
    /// <param name="cancellationToken">Cancels it; the transaction is void then.</param>
    public static async Task WriteAsync(NpgsqlConnection connection, IEnumerable<UsageRecord> records, CancellationToken cancellationToken)
    {
        var calls = records.Select(record => (Record: record, Call: SlaCall.Of(record))).Where(one => one.Call.Counts).ToList();
        if (calls.Count == 0)
        {
            return;
        }

        var intervals = calls.GroupBy(one => (one.Record.VersionId, Start: Floor(one.Record.SettledAt), one.Record.ListingId)).ToList();
        var days = calls.GroupBy(one => (one.Record.VersionId, Day: DateOnly.FromDateTime(one.Record.SettledAt.UtcDateTime), one.Record.ListingId)).ToList();
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new(Intervals)
                {
                    Parameters =
                    {
                        Column(intervals, group => group.Key.VersionId), Column(intervals, group => group.Key.Start), Column(intervals, group => group.Key.ListingId), Column(intervals, group => group.LongCount()),
                        Column(intervals, group => group.LongCount(one => one.Call.Failed)), Column(intervals, group => group.Max(one => one.Call.Ms)),
                    },
                },
                new(Days)
                {
                    Parameters =
                    {
                        Column(days, group => group.Key.VersionId), Column(days, group => group.Key.Day), Column(days, group => group.Key.ListingId), Column(days, group => group.LongCount()),
                        Column(days, group => group.LongCount(one => one.Call.Failed)),
                    },
                },
            },
        };
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    private static DateTimeOffset Floor(DateTimeOffset time) => new(time.UtcTicks - (time.UtcTicks % SlaInterval.Length.Ticks), TimeSpan.Zero);

    private static NpgsqlParameter Column<TRow, TValue>(IEnumerable<TRow> rows, Func<TRow, TValue> value) => new() { Value = rows.Select(value).ToArray() };
}
