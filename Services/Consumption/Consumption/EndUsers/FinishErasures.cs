using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Consumption.EndUsers;

/// <summary>
/// Finds what was written with an erased id after its erasure: by calls that ran then, and by outcomes that corrected their records later. When nothing can come any more, it forgets
/// by what the id would be known, and the budget that was taken back under its name.
/// </summary>
internal sealed partial class FinishErasures(NpgsqlDataSource database, EraseFromStores erase, TimeProvider time, ILogger<FinishErasures> logger) : RecurringWork(time)
{
    // Streams may last a day at most (Calls:LongestStream).
    private const string Late =
        """
        SELECT end_user FROM usage_records
         WHERE organisation_id = $1 AND end_user IS NOT NULL AND ((now() < $2 + interval '1 day' AND admitted_at BETWEEN $2 - interval '1 day' AND $2)
            OR (admitted_at <= $2 AND request_id IN (SELECT request_id FROM usage_corrections WHERE corrected_at > $2)))
        UNION SELECT end_user FROM admissions WHERE organisation_id = $1 AND end_user IS NOT NULL AND admitted_at <= $2
        UNION SELECT end_user FROM call_logs WHERE organisation_id = $1 AND end_user IS NOT NULL AND now() < $2 + interval '1 day' AND admitted_at BETWEEN $2 - interval '1 day' AND $2
        """;

    // Logs of instances that are away are shipped when they come back, days later too: of calls that nobody knew of. To look for them takes longer.
    private const string Shipped = Late +
        """
         UNION SELECT end_user FROM usage_records WHERE organisation_id = $1 AND end_user IS NOT NULL AND admitted_at BETWEEN $2 - interval '30 days' AND $2
        UNION SELECT end_user FROM call_logs WHERE organisation_id = $1 AND end_user IS NOT NULL AND admitted_at <= $2
        """;

    private const string Forget = "WITH over AS (UPDATE end_user_erasures SET mark = NULL WHERE id = $1) DELETE FROM end_user_budgets WHERE organisation_id = $2 AND end_user = ANY ($3) AND amount IS NULL";

    private static readonly TimeSpan ForgetAfter = TimeSpan.FromDays(30);
    private static readonly TimeSpan LookForShippedEvery = TimeSpan.FromHours(1);
    private DateTimeOffset lookedForShipped;

    protected override TimeSpan Every => TimeSpan.FromMinutes(1);

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        var open = new List<(Guid Id, Guid Organisation, byte[] Mark, string Pseudonym, string By, DateTimeOffset At)>();
        await using (var find = database.CreateCommand("SELECT id, organisation_id, mark, pseudonym, requested_by, requested_at FROM end_user_erasures WHERE mark IS NOT NULL"))
        await using (var reader = await find.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                open.Add((reader.GetGuid(0), reader.GetGuid(1), reader.GetFieldValue<byte[]>(2), reader.GetString(3), reader.GetString(4), reader.GetFieldValue<DateTimeOffset>(5)));
            }
        }

        var now = Time.GetUtcNow();
        var all = now - lookedForShipped >= LookForShippedEvery;
        foreach (var erasure in open)
        {
            foreach (var endUser in await KnownAsync(all || now > erasure.At + ForgetAfter ? Shipped : Late, erasure.Organisation, erasure.At, erasure.Mark, cancellationToken))
            {
                await using var connection = await database.OpenConnectionAsync(cancellationToken);
                await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                await erase.RunAsync(connection, erasure.Organisation, endUser, erasure.Pseudonym, erasure.At, erasure.By, cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                erase.RebuildCounters(erasure.Organisation);
            }

            if (now > erasure.At + ForgetAfter)
            {
                var budgets = await KnownAsync("SELECT end_user FROM end_user_budgets WHERE organisation_id = $1 AND amount IS NULL AND changed_at <= $2 + interval '1 day'", erasure.Organisation, erasure.At, erasure.Mark, cancellationToken);
                await using var forget = database.CreateCommand(Forget);
                forget.Parameters.Add(new NpgsqlParameter { Value = erasure.Id });
                forget.Parameters.Add(new NpgsqlParameter { Value = erasure.Organisation });
                forget.Parameters.Add(new NpgsqlParameter { Value = budgets.ToArray() });
                await forget.ExecuteNonQueryAsync(cancellationToken);
            }
        }

        lookedForShipped = all ? now : lookedForShipped;
    }

    /// <summary>Those of the ids that have the mark.</summary>
    private async Task<List<string>> KnownAsync(string ids, Guid organisation, DateTimeOffset at, byte[] mark, CancellationToken cancellationToken)
    {
        var known = new List<string>();
        await using var read = database.CreateCommand($"SELECT DISTINCT end_user FROM ({ids}) AS ids");
        read.Parameters.Add(new NpgsqlParameter { Value = organisation });
        read.Parameters.Add(new NpgsqlParameter { Value = at });
        await using var reader = await read.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            if (reader.GetString(0) is var id && erase.MarkOf(organisation, id).AsSpan().SequenceEqual(mark))
            {
                known.Add(id);
            }
        }

        return known;
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    private static partial class Log
    {
        [LoggerMessage(5501, LogLevel.Warning, "What was written late with erased ids of end users could not be looked for now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
