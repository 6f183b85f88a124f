using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Metering.UsageLog;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Reserves all that a call may use, then notes its admission; after this the call will have one usage record, whatever happens.</summary>
internal sealed class AdmitCall(KeyRing keys, CallLimits limits, IAdmissionLog log, InstanceLease lease)
{
    // How often counters may be built anew between a call's reservation and its admission.
    private const int Attempts = 5;

    public async Task<CallRefusal?> AdmitAsync(Call call)
    {
        try
        {
            var instance = lease.InstanceId;
            if (log.Closed is { } reason)
            {
                return new CallRefusal(CallFailure.NotReady, reason, RetryAfter: TimeSpan.FromSeconds(1));
            }

            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var reservation = PlanCall.Reservation(call, instance, keys.BudgetOf(call.Organisation!.Id));
                var answer = await limits.ReserveAsync(reservation, call.Left);
                call.Limits = answer;
                if (answer.Status != LimitStatus.Admitted)
                {
                    return RefuseCall.By(answer, reservation, call.Plan!, call.Request!.Choices);
                }

                var admission = Row(call, answer, instance);
                if (log.Admit(admission))
                {
                    call.Admission = admission;
                    return null;
                }
            }
        }
        catch (Exception unknown) when (unknown is LimitsUnavailableException or LogUnavailableException or NotLeasedException)
        {
            return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
        }

        return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
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
            Operation = call.Surface.Name,
            Streamed = call.Request!.Stream,
            AdmittedAt = answer.Now,
            Day = answer.Day,
            ReservedTokens = plan.ReservedTokens,
            ReservedNanos = plan.ReservedNanos,
            Currency = plan.Price.Currency,
            MicrosecondsPerToken = 60_000_000d / TierLimits.Of(call.Organisation.Tier).TokensPerMinute,
        };
    }
}
