using System.Globalization;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>Removes sums and alerts of days and months that are long over. Until then a record that comes late is still added, and tells nothing twice.</summary>
internal sealed partial class ForgetSpending(NpgsqlDataSource database, TimeProvider time, ILogger<ForgetSpending> logger) : RecurringWork(time)
{
    private const int KeptDays = 62;

    protected override TimeSpan Every => TimeSpan.FromHours(1);

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        // yyyymmdd of days and yyyymm00 of months compare as one: a month goes once all its days went.
        var oldest = int.Parse(Time.GetUtcNow().AddDays(-KeptDays).ToString("yyyyMMdd", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        foreach (var table in new[] { "budget_spending", "budget_alerts" })
        {
            await using var delete = database.CreateCommand($"DELETE FROM {table} WHERE period_start > 0 AND CASE WHEN period_start % 100 = 0 THEN period_start + 99 ELSE period_start END < $1");
            delete.Parameters.Add(new NpgsqlParameter { Value = oldest });
            await delete.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    private static partial class Log
    {
        [LoggerMessage(5511, LogLevel.Warning, "Sums of periods that are over could not be removed now.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
