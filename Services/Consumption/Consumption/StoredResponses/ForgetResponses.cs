using LlmMarketplace.Consumption.Calls;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>Forgets responses that their providers keep no longer either.</summary>
internal sealed partial class ForgetResponses(NpgsqlDataSource database, IOptions<CallOptions> options, TimeProvider time, ILogger<ForgetResponses> logger) : RecurringWork(time)
{
    protected override TimeSpan Every => TimeSpan.FromHours(1);

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand("DELETE FROM stored_responses WHERE created_at < $1");
        delete.Parameters.Add(new NpgsqlParameter { Value = Time.GetUtcNow() - options.Value.KeepResponses });
        await delete.ExecuteNonQueryAsync(cancellationToken);
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    private static partial class Log
    {
        [LoggerMessage(5224, LogLevel.Warning, "Responses whose time is over could not be forgotten now.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
