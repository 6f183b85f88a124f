using LlmMarketplace.Consumption.Counting;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Reserves all that a call may use, then notes its admission; after this the call will have one usage record, whatever happens. Neither refused nor admitted: an answer to it is
/// kept (<see cref="LimitStatus.Kept"/>).
/// </summary>
internal sealed class AdmitCall(KeyRing keys, KeyCheck check, FreshKey fresh, PlanCall plans, CountInput counting, CallLimits limits, IAdmissionLog log, InstanceLease lease, ConsumptionTelemetry telemetry)
{
    // How often counters may be built anew between a call's reservation and its admission.
    private const int Attempts = 5;

    public async Task<CallRefusal?> AdmitAsync(Call call)
    {
        try
        {
            var instance = lease.InstanceId; // Before anything is reserved: without a lease nothing could be noted, and nobody would give it back.
            if (log.Closed is { } reason)
            {
                return new CallRefusal(CallFailure.NotReady, reason, RetryAfter: TimeSpan.FromSeconds(1));
            }

            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var reservation = PlanCall.Reservation(call, instance, keys);
                var answer = await limits.ReserveAsync(reservation, call.Left);
                call.Limits = answer;
                if (answer.Status == LimitStatus.Stale)
                {
                    if (await RefreshAsync(call) is { } refusal)
                    {
                        return refusal;
                    }

                    continue;
                }

                if (answer.Status == LimitStatus.Kept)
                {
                    return null;
                }

                if (answer.Status != LimitStatus.Admitted)
                {
                    if (await counting.PlanAsync(call, reservation, answer) is { } counted)
                    {
                        call.Plan = counted;
                        continue;
                    }

                    return RefuseCall.By(answer, reservation, call.Plan!, call.Request!.Choices);
                }

                var admission = Row(call, answer, instance);
                if (log.Admit(admission))
                {
                    call.Admission = admission;
                    if (answer.IsOwn)
                    {
                        telemetry.AdmittedOpenly();
                    }

                    return null;
                }
            }

            limits.GiveBack(PlanCall.Reservation(call, instance, keys));
        }
        catch (Exception unknown) when (unknown is Npgsql.NpgsqlException or TimeoutException or LimitsUnavailableException or LogUnavailableException or NotLeasedException)
        {
            return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
        }

        return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
    }

    /// <summary>The key was changed, and this instance has not heard of it yet: reads it anew, and judges the call by it from the start.</summary>
    private async Task<CallRefusal?> RefreshAsync(Call call)
    {
        var key = await fresh.ReadAsync(call.Key!.Id, call.Left);
        if (check.Recheck(call.Http.Request, key) is { } refusal)
        {
            return refusal;
        }

        call.Key = key;
        (var plan, refusal) = plans.Plan(call);
        call.Replan(plan);
        return refusal;
    }

    private static AdmissionRow Row(Call call, LimitAnswer answer, Guid instance)
    {
        var plan = call.Plan!;
        var listing = plan.Version.Listing;
        return new AdmissionRow
        {
            RequestId = call.Id,
            InstanceId = instance,
            OrganisationId = call.Organisation!.Id,
            Generation = answer.Generation,
            KeyId = call.Key!.Id,
            ListingId = listing.Id,
            VersionId = plan.Version.Id,
            ProviderOrganisationId = listing.OrganisationId,
            Service = listing.Name,
            ServiceVersion = plan.Version.NumberText,
            Operation = call.Surface.Name,
            Streamed = call.Request!.Stream,
            AdmittedAt = answer.Now,
            Day = answer.Day,
            ReservedTokens = plan.ReservedTokens,
            ReservedNanos = plan.ReservedNanos,
            Currency = plan.Price.Currency,
            EndUser = call.Attribution!.EndUser,
            Tags = call.Attribution.Tags,
            MicrosecondsPerToken = 60_000_000d / TierLimits.Of(call.Organisation.Tier).TokensPerMinute,
            Claim = call.Claim is { } claim ? $"{claim.Key} {claim.Body}" : null,
        };
    }
}
