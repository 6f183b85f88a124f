using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Reserves all that a call may use, then notes its admission; after this the call will have one usage record, whatever happens.</summary>
internal sealed class AdmitCall(KeyRing keys, CallLimits limits, IAdmissionLog log, InstanceLease lease, SettleCall settle)
{
    // How often counters may be built anew between a call's reservation and its admission.
    private const int Attempts = 5;

    public async Task<CallRefusal?> AdmitAsync(Call call)
    {
        try
        {
            var instance = lease.InstanceId; // Before anything is reserved: without a lease nothing could be noted, and nobody would give it back.
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var reservation = PlanCall.Reservation(call, keys.BudgetOf(call.Organisation!.Id));
                var answer = await limits.ReserveAsync(reservation);
                call.Limits = answer;
                if (answer.Status != LimitStatus.Admitted)
                {
                    return Refuse(answer, reservation);
                }

                var admission = Row(call, answer, instance);
                if (await NoteAsync(call, admission))
                {
                    call.Admission = admission;
                    return null;
                }
            }
        }
        catch (LimitsUnavailableException)
        {
            return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
        }
        catch (Exception unknown) when (unknown is AdmissionUnknownException or NotLeasedException)
        {
            return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
        }

        return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
    }

    private async Task<bool> NoteAsync(Call call, AdmissionRow admission)
    {
        try
        {
            return await log.AdmitAsync(admission);
        }
        catch (AdmissionUnknownException)
        {
            settle.Unadmitted(call, admission);
            throw;
        }
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
            Price = plan.Price,
            MicrosecondsPerToken = Scripts.MicrosecondsPerToken(TierLimits.Of(call.Organisation.Tier)),
        };
    }

    private static CallRefusal Refuse(LimitAnswer answer, Reservation asked)
    {
        var wait = answer.Wait < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : answer.Wait;
        return answer.Status switch
        {
            LimitStatus.MonthlyTokens => new CallRefusal(
                CallFailure.MonthlyTokens,
                $"This call may use {asked.Tokens} tokens, and of your organisation's {asked.Tier.TokensPerMonth} a month {Math.Max(0, asked.Tier.TokensPerMonth - answer.UsedTokens)} are left. They begin anew on the 1st, UTC.",
                RetryAfter: Periods.UntilNext(Budgets.BudgetPeriod.Month, answer.Now)),
            LimitStatus.OrganisationBudget => new CallRefusal(CallFailure.OrganisationBudget, RetryAfter: Periods.UntilNext(asked.OrganisationBudget!.Period, answer.Now)),
            LimitStatus.KeyBudget => new CallRefusal(CallFailure.KeyBudget, RetryAfter: Periods.UntilNext(asked.KeyBudget!.Period, answer.Now)),
            LimitStatus.Requests => new CallRefusal(CallFailure.RequestRate, RetryAfter: wait),
            _ when asked.Tokens > asked.Tier.TokensPerMinute => new CallRefusal(CallFailure.LargerThanTokenRate),
            _ => new CallRefusal(CallFailure.TokenRate, RetryAfter: wait),
        };
    }
}
