namespace LlmMarketplace.Consumption.Limits;

/// <summary>
/// What this instance admits of one organisation by itself while Redis is away, where the operator chose that (<see cref="AwayMode.Open"/>):
/// <code>
/// rates, calls open at once      this instance's own buckets, each as large as the limit
/// budgets, tokens of the month   what this instance so admits in their period, however often Redis is away in it: at most <see cref="LimitOptions.OpenShare"/> of the limit
/// idempotency keys               none: nobody could say whether the call was made before
/// </code>
/// So beyond a budget or a month's tokens go at most its share times the instances. Redis knows nothing of these calls: when it is back, the counters have to be built anew from the records (<see cref="TakeDebt"/>).
/// </summary>
internal sealed class Allowance(decimal share)
{
    private const int MaxAccounts = 10_000;
    private readonly Lock gate = new();
    private readonly Dictionary<string, OwnCounters> accounts = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, (Reservation Reservation, int Day)> open = [];
    private bool owes;

    /// <summary>Admits a call, or says which rate refuses it; null when nobody may admit it but Redis.</summary>
    /// <param name="asked">The call.</param>
    /// <param name="now">Redis's clock, as far as it is known.</param>
    /// <param name="generation">The counters that the organisation had last; 0: this instance has not seen them, and may admit nothing by itself.</param>
    public LimitAnswer? Admit(Reservation asked, DateTimeOffset now, long generation)
    {
        if (asked.Claim is not null || generation == 0)
        {
            return null;
        }

        var day = Periods.Day(now);
        var microseconds = (now - DateTimeOffset.UnixEpoch).TotalMicroseconds;
        lock (gate)
        {
            if (open.TryGetValue(asked.Call, out var before))
            {
                return Answer(LimitStatus.Admitted, LimitedAccount.None, before.Day); // Asked again, as of Redis.
            }

            List<(Account Limits, OwnCounters Own)> payers = [];
            foreach (var limits in Payers(asked))
            {
                if (CountersOf(limits.Field) is not { } own)
                {
                    return null;
                }

                own.GoTo(day, microseconds);
                payers.Add((limits, own));
            }

            if (!payers.TrueForAll(payer => payer.Own.HasShare(payer.Limits, share, asked)))
            {
                return null;
            }

            for (var at = 0; at < payers.Count; at++)
            {
                if (payers[at].Own.Refusal(payers[at].Limits, asked, microseconds) is var (status, wait))
                {
                    return Answer(status, (LimitedAccount)(at + 1), day, wait);
                }
            }

            payers.ForEach(payer => payer.Own.Reserve(payer.Limits, asked));
            open[asked.Call] = (asked, day);
            owes = true;
            return Answer(LimitStatus.Admitted, LimitedAccount.None, day);
        }

        LimitAnswer Answer(LimitStatus status, LimitedAccount account, int charged, TimeSpan wait = default) =>
            new(status, account, generation, charged, now, default, default, wait, 0, null) { IsOwn = true };
    }

    /// <summary>A call ended: what it did not use is free again. Of calls that were not admitted here nothing is known.</summary>
    public void Settle(Release release)
    {
        lock (gate)
        {
            if (!open.Remove(release.Call, out var admitted))
            {
                return;
            }

            foreach (var limits in Payers(admitted.Reservation))
            {
                accounts[limits.Field].Settle(admitted.Day, release.Tokens - admitted.Reservation.Tokens, release.Nanos - admitted.Reservation.Nanos);
            }
        }
    }

    /// <summary>Whether calls were admitted that Redis's counters know nothing of; from now on, only those that are admitted after this.</summary>
    public bool TakeDebt()
    {
        lock (gate)
        {
            (var owed, owes) = (owes, false);
            return owed;
        }
    }

    /// <summary>In the order of <see cref="LimitedAccount"/>.</summary>
    private static IEnumerable<Account> Payers(Reservation asked) => asked.EndUser is { Budget: not null } user ? [asked.Organisation, asked.Key, user] : [asked.Organisation, asked.Key];

    private OwnCounters? CountersOf(string field)
    {
        if (!accounts.TryGetValue(field, out var own) && accounts.Count < MaxAccounts)
        {
            accounts[field] = own = new OwnCounters();
        }

        return own;
    }

    /// <summary>What one account was admitted here.</summary>
    private sealed class OwnCounters
    {
        private int day;
        private long ofDay;
        private long ofMonth;
        private long total;
        private long tokensOfMonth;
        private long calls;
        private double requestsFullAt;
        private double tokensFullAt;

        public void GoTo(int today, double now)
        {
            if (today > day)
            {
                ofDay = 0;
                (ofMonth, tokensOfMonth) = today / 100 > day / 100 ? (0, 0) : (ofMonth, tokensOfMonth);
                day = today;
            }

            (requestsFullAt, tokensFullAt) = (Math.Max(requestsFullAt, now), Math.Max(tokensFullAt, now));
        }

        public bool HasShare(Account limits, decimal share, Reservation asked) =>
            (limits.TokensPerMonth == 0 || tokensOfMonth + asked.Tokens <= limits.TokensPerMonth * share)
            && (limits.Budget is not { } budget || Spent(budget.Period) + asked.Nanos <= budget.Nanos * share);

        /// <summary>Which rate refuses the call, and until when; as <c>calls.lua</c> reckons it.</summary>
        public (LimitStatus Status, TimeSpan Wait)? Refusal(Account limits, Reservation asked, double now)
        {
            if (limits.ConcurrentCalls > 0 && calls >= limits.ConcurrentCalls)
            {
                return (LimitStatus.Concurrency, TimeSpan.Zero);
            }

            var wait = limits.RequestsPerMinute == 0 ? 0 : requestsFullAt + PerRequest(limits) - now - (PerRequest(limits) * limits.Burst);
            if (wait > 0.5)
            {
                return (LimitStatus.Requests, TimeSpan.FromMicroseconds(wait));
            }

            wait = limits.TokensPerMinute == 0 ? 0 : tokensFullAt + (PerToken(limits) * asked.Tokens) - now - TimeSpan.FromMinutes(1).TotalMicroseconds;
            return wait > 0.5 ? (LimitStatus.Tokens, TimeSpan.FromMicroseconds(wait)) : null;
        }

        public void Reserve(Account limits, Reservation asked)
        {
            Charge(day, asked.Tokens, asked.Nanos);
            calls++;
            requestsFullAt += PerRequest(limits);
            tokensFullAt += PerToken(limits) * asked.Tokens;
        }

        public void Settle(int reservedOn, long tokens, long nanos)
        {
            Charge(reservedOn, tokens, nanos);
            calls--;
        }

        private void Charge(int on, long tokens, long nanos)
        {
            ofDay += on == day ? nanos : 0;
            ofMonth += on / 100 == day / 100 ? nanos : 0;
            tokensOfMonth += on / 100 == day / 100 ? tokens : 0;
            total += nanos;
        }

        private long Spent(Budgets.BudgetPeriod period) => period switch
        {
            Budgets.BudgetPeriod.Day => ofDay,
            Budgets.BudgetPeriod.Month => ofMonth,
            _ => total,
        };

        private static double PerRequest(Account limits) => limits.RequestsPerMinute == 0 ? 0 : TimeSpan.FromMinutes(1).TotalMicroseconds / limits.RequestsPerMinute;

        private static double PerToken(Account limits) => limits.TokensPerMinute == 0 ? 0 : TimeSpan.FromMinutes(1).TotalMicroseconds / limits.TokensPerMinute;
    }
}
