using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Limits;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>Keeps answers within their bounds: removes those whose time is over; of an organisation that has too many bytes gives up the oldest answers, of one that has too many keys forgets the oldest.</summary>
internal sealed partial class TidyAnswers(NpgsqlDataSource database, LimitScripts scripts, IOptions<IdempotencyOptions> options, TimeProvider time, ILogger<TidyAnswers> logger) : TidyStore(database, time)
{
    private const int MaxLater = 100_000;
    private readonly ConcurrentQueue<(Guid Organisation, Claim Claim, Guid Call)> later = new();

    protected override TimeSpan Every => options.Value.TidyEvery;

    protected override string DeleteOver =>
        "DELETE FROM kept_answers WHERE (organisation_id, claim) IN (SELECT organisation_id, claim FROM kept_answers WHERE expires_at <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)";

    /// <summary>PostgreSQL is still to be told that a call was complete, and that its answer is not kept.</summary>
    public void WriteLater(Guid organisation, Claim claim, Guid call)
    {
        if (later.Count < MaxLater)
        {
            later.Enqueue((organisation, claim, call));
        }
    }

    public override async Task RunAsync(CancellationToken cancellationToken)
    {
        while (later.TryPeek(out var untold))
        {
            await KeepAnswer.WriteAsync(Database, untold.Organisation, untold.Claim, untold.Call, "", null, cancellationToken);
            later.TryDequeue(out _);
        }

        await base.RunAsync(cancellationToken);
    }

    protected override void Later(Exception away) => Log.Later(logger, away);

    protected override bool IsAway(Exception failure) => failure is RedisException || base.IsAway(failure);

    protected override async Task BoundAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await GiveUpAsync(organisation, cancellationToken);
        await ForgetAsync(organisation, cancellationToken);
    }

    private async Task GiveUpAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var giveUp = Database.CreateCommand(
            """
            UPDATE kept_answers SET answer = NULL, key_id = NULL, bytes = 0 WHERE organisation_id = $1 AND bytes > 0 AND claim IN (
                SELECT claim FROM (SELECT claim, sum(bytes) OVER (ORDER BY created_at DESC, claim) AS together FROM kept_answers WHERE organisation_id = $1) AS newest WHERE together > $2)
            """);
        giveUp.Parameters.Add(new() { Value = organisation });
        giveUp.Parameters.Add(new() { Value = options.Value.MaxOrganisationBytes });
        await giveUp.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task ForgetAsync(Guid organisation, CancellationToken cancellationToken)
    {
        await using var forget = Database.CreateCommand(
            "DELETE FROM kept_answers WHERE organisation_id = $1 AND claim IN (SELECT claim FROM kept_answers WHERE organisation_id = $1 ORDER BY created_at DESC, claim OFFSET $2) RETURNING claim");
        forget.Parameters.Add(new() { Value = organisation });
        forget.Parameters.Add(new() { Value = options.Value.MaxOrganisationKeys });
        var forgotten = new List<string>();
        await using (var reader = await forget.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                forgotten.Add(reader.GetString(0));
            }
        }

        foreach (var some in forgotten.Chunk(AtOnce))
        {
            await scripts.ForgetAsync(organisation, some);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(5302, LogLevel.Warning, "Answers kept for idempotency keys could not be tidied now; tried again.")]
        public static partial void Later(ILogger logger, Exception away);
    }
}
