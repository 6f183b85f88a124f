using System.Globalization;
using System.Security.Cryptography;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>
/// Answers calls from their organisation's cache.
/// <code>
/// planned ─► is the cache on? ─no─► on its way as ever
///              │ yes: looked up          found ─► admitted with nothing reserved but one request of the rates ─► recorded at no cost, no attempts ─► sent
///              └──────────────────── not found ─► admitted, forwarded, settled ─► <see cref="KeepCached"/>
/// </code>
/// A call is planned before: whoever may not call the version gets nothing of it from here. Is PostgreSQL away or slow, nothing was found, and for a while nothing is looked for (<see cref="LookPause"/>).
/// </summary>
internal sealed partial class ServeCached(
    OptedIn<CachePolicy> policies, NpgsqlDataSource database, AnswerProtector protector, SettleCall settle, InstanceLease lease, ConsumptionTelemetry telemetry, IOptions<CacheOptions> options, TimeProvider time,
    ILogger<ServeCached> logger)
{
    public const string Header = "x-marketplace-cache";

    private readonly LookPause pause = new(options.Value.PauseFor, time);

    /// <summary>Looks a planned call up, if its organisation has switched the cache on.</summary>
    public Task LookAsync(Call call) => policies.Of(call.Organisation!.Id) is { } policy ? LookAsync(call, policy) : Task.CompletedTask;

    /// <summary>Sends an admitted call what was found for it. Null: the caller has it.</summary>
    public async Task<CallRefusal?> SendAsync(Call call)
    {
        if (!lease.Holds(call.Admission!.InstanceId))
        {
            call.Refused = new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced);
            await settle.SettleAsync(call, CallOutcome.NotCharged(RequestOutcome.Failed, StatusCodes.Status503ServiceUnavailable));
            return call.Refused;
        }

        var (answer, age) = call.Cache!.Found!.Value;
        call.Copy?.Take(answer.ContentType, answer.Body.Span, answer.Status); // For its idempotency key.
        await settle.SettleAsync(call, CallOutcome.FoundInCache(answer.Status));
        Tell(call, "hit");
        call.Http.Response.Headers.Age = ((long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        await ReplayAnswer.WriteAsync(call, answer);
        return null;
    }

    private async Task LookAsync(Call call, CachePolicy policy)
    {
        var (maxAge, keepFor) = CacheUse.Wanted(call.Http.Request, policy);
        if (policy.Services?.Contains(call.Plan!.Version.Listing.Name) == false || !CacheUse.IsCacheable(call.Surface, call.Request!) || (maxAge == TimeSpan.Zero && keepFor == TimeSpan.Zero))
        {
            Tell(call, "bypass");
            return;
        }

        var use = new CacheUse(await CacheKey.OfAsync(call), maxAge, keepFor);
        if (maxAge > TimeSpan.Zero && await TryFindAsync(call, use) is { } found)
        {
            call.Cache = use with { Found = found };
            call.Plan = call.Plan!.AtNoCost();
            return;
        }

        call.Cache = use;
        call.Copy ??= new AnswerCopy(options.Value.MaxAnswerBytes);
        Tell(call, maxAge > TimeSpan.Zero ? "miss" : "bypass");
    }

    private async Task<(Answer Answer, TimeSpan Age)?> TryFindAsync(Call call, CacheUse use)
    {
        if (!pause.TryLook())
        {
            return null;
        }

        using var patience = new CancellationTokenSource(options.Value.LookFor, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, call.Left);
        try
        {
            var found = await FindAsync(call.Organisation!.Id, use, either.Token).WaitAsync(either.Token); // Of a server that says nothing, Npgsql takes leave much later.
            pause.End();
            return found;
        }
        catch (CryptographicException unreadable)
        {
            pause.End();
            Log.NotLookedUp(logger, call.Id, unreadable);
            return null;
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException or OperationCanceledException && !call.Left.IsCancellationRequested)
        {
            pause.Begin();
            Log.NotLookedUp(logger, call.Id, away);
            return null;
        }
    }

    private async Task<(Answer Answer, TimeSpan Age)?> FindAsync(Guid organisation, CacheUse use, CancellationToken cancellationToken)
    {
        await using var find = database.CreateCommand(
            """
            SELECT call_id, answer, clock_timestamp() - created_at FROM cached_answers
            WHERE organisation_id = $1 AND cache_key = $2 AND key_id = $3 AND expires_at > clock_timestamp() AND created_at > clock_timestamp() - $4
            """);
        find.Parameters.Add(new() { Value = organisation });
        find.Parameters.Add(new() { Value = use.Key });
        find.Parameters.Add(new() { Value = protector.KeyId });
        find.Parameters.Add(new() { Value = use.MaxAge });
        await using var reader = await find.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? (protector.Unprotect(organisation, KeepCached.Bound(use.Key), reader.GetGuid(0), reader.GetFieldValue<byte[]>(1)), reader.GetFieldValue<TimeSpan>(2))
            : null;
    }

    private void Tell(Call call, string result)
    {
        call.Http.Response.Headers[Header] = result;
        telemetry.Cached(call.Activity, call.Surface, result);
    }

    private static partial class Log
    {
        [LoggerMessage(5313, LogLevel.Warning, "Call {Call} could not be looked up in the response cache; its provider is asked.")]
        public static partial void NotLookedUp(ILogger logger, Guid call, Exception away);
    }
}
