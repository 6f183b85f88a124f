using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Consumption.ResponseCache;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Makes the one record of a call from how it ended. Charged is what was delivered: nothing of what failed, was refused or got lost.</summary>
internal sealed class SettleCall(IAdmissionLog log, KeepAnswer keep, KeepCached cache, KeepCallLogs logs, ConsumptionTelemetry telemetry, TimeProvider time)
{
    /// <summary>Settles the call, once; returns when the record is on disk.</summary>
    public Task SettleAsync(Call call, CallOutcome outcome)
    {
        if (call.Settled)
        {
            return Task.CompletedTask;
        }

        call.Settled = true;
        var record = Record(call, call.Admission!, outcome);
        logs.Keep(call, record);
        CallAnswers.SetCost(call, record);
        telemetry.Settled(call.Activity, record, call.Surface.GenAiOperation);
        if (outcome.Outcome != RequestOutcome.Completed)
        {
            return log.SettleAsync(new Settlement(call.Admission!, record));
        }

        var settling = call.Claim is null ? log.SettleAsync(new Settlement(call.Admission!, record)) : KeepAndSettleAsync(call, record);
        return call.Cache is null ? settling : CacheAsync(call, settling);
    }

    private async Task CacheAsync(Call call, Task settling)
    {
        await settling; // What another call may be answered with is on the books.
        cache.Keep(call);
    }

    private async Task KeepAndSettleAsync(Call call, UsageRecord record)
    {
        var claim = await keep.KeepAsync(call);
        if (!claim.IsKept && !call.Http.Response.HasStarted)
        {
            call.Http.Response.Headers["x-marketplace-idempotency"] = "not-kept";
        }

        await log.SettleAsync(new Settlement(call.Admission!, record, claim));
    }

    private UsageRecord Record(Call call, AdmissionRow admission, CallOutcome outcome)
    {
        var latency = time.GetElapsedTime(call.StartedAt);
        var charged = outcome is { Outcome: RequestOutcome.Completed or RequestOutcome.Cut or RequestOutcome.Abandoned, IsEmpty: false };
        var cost = charged && !outcome.FromCache ? call.Plan!.Price.Cost(outcome.Usage) : 0m;
        var nanos = Price.Nanos(cost);
        return new UsageRecord
        {
            RequestId = admission.RequestId,
            OrganisationId = admission.OrganisationId,
            KeyId = admission.KeyId,
            ListingId = admission.ListingId,
            VersionId = admission.VersionId,
            ProviderOrganisationId = admission.ProviderOrganisationId,
            Service = admission.Service,
            ServiceVersion = admission.ServiceVersion,
            Operation = admission.Operation,
            Outcome = outcome.Outcome,
            StatusCode = outcome.Status,
            InputTokens = outcome.Usage.InputTokens,
            CachedInputTokens = outcome.Usage.CachedInputTokens,
            OutputTokens = outcome.Usage.OutputTokens,
            UsageCounted = outcome.Counted,
            Cost = cost,
            Currency = admission.Currency,
            Nanos = nanos,
            Streamed = admission.Streamed,
            AdmittedAt = admission.AdmittedAt,
            SettledAt = time.GetUtcNow(),
            LatencyMs = latency.TotalMilliseconds,
            FirstByteMs = call.FirstByteMs,
            Day = admission.Day,
            EndUser = admission.EndUser,
            Tags = admission.Tags,
            ProviderUsage = outcome.ProviderUsage,
            FromCache = outcome.FromCache,
            ExceededReservation = charged && !outcome.FromCache && (nanos > admission.ReservedNanos || outcome.Usage.InputTokens + outcome.Usage.OutputTokens > admission.ReservedTokens),
            Attempts = [.. call.Attempts],
        };
    }
}
