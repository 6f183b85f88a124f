using System.Collections.Concurrent;
using LlmMarketplace.Consumption.Limits;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// The calls of this instance that PostgreSQL has no record of yet: open, or ended and not shipped. When an organisation's counters are built anew, this is what this instance
/// adds to the sums (<see cref="Close"/>). From then until they are built, settlements wait here: one that overtook them would be forgotten.
/// </summary>
internal sealed class OpenCalls(CallLimits limits)
{
    private readonly ConcurrentDictionary<Guid, Account> accounts = new();

    /// <summary>All that this process has called for.</summary>
    public ICollection<Guid> Organisations => accounts.Keys;

    /// <summary>Notes an admitted call.</summary>
    /// <param name="admission">The admission.</param>
    /// <param name="append">Appends it to the log; in step with <see cref="Close"/>.</param>
    /// <returns>False: the counters that hold its reservation were given up, and the sums went without it.</returns>
    public bool TryOpen(AdmissionRow admission, Action append)
    {
        var account = accounts.GetOrAdd(admission.OrganisationId, _ => new Account());
        lock (account)
        {
            if (admission.Generation < account.Generation)
            {
                return false;
            }

            append();
            account.Calls[admission.RequestId] = new Reported(admission, null);
            return true;
        }
    }

    /// <summary>A call ended, and that is on disk: its reservation is given back, now or once the counters stand.</summary>
    public void Settle(Settlement settlement, bool shipped)
    {
        var (admission, record, _) = settlement;
        var account = accounts.GetOrAdd(admission.OrganisationId, _ => new Account());
        lock (account)
        {
            if (shipped)
            {
                account.Calls.Remove(admission.RequestId);
            }
            else if (account.Calls.ContainsKey(admission.RequestId))
            {
                account.Calls[admission.RequestId] = new Reported(admission, record);
            }

            if (account.IsClosed)
            {
                account.Waiting.Add(settlement);
                return;
            }
        }

        GiveBack(settlement);
    }

    /// <summary>PostgreSQL has the call's record.</summary>
    public void Shipped(Guid organisation, Guid call)
    {
        if (accounts.TryGetValue(organisation, out var account))
        {
            lock (account)
            {
                account.Calls.Remove(call);
            }
        }
    }

    /// <summary>Whether calls of an organisation ended whose records PostgreSQL does not have yet.</summary>
    public bool HasUnshipped(Guid organisation)
    {
        if (!accounts.TryGetValue(organisation, out var account))
        {
            return false;
        }

        lock (account)
        {
            return account.Calls.Values.Any(call => call.Record is not null);
        }
    }

    /// <summary>Whether PostgreSQL has the records of all calls, and no settlement waits.</summary>
    public bool IsEmpty
    {
        get
        {
            foreach (var account in accounts.Values)
            {
                lock (account)
                {
                    if (account.Calls.Count > 0 || account.Waiting.Count > 0)
                    {
                        return false;
                    }
                }
            }

            return true;
        }
    }

    /// <summary>Admits nothing more by older counters of this organisation, and gives all its calls as they stand.</summary>
    public IReadOnlyList<Reported> Close(Guid organisation, long generation)
    {
        var account = accounts.GetOrAdd(organisation, _ => new Account());
        lock (account)
        {
            account.Generation = Math.Max(account.Generation, generation);
            account.IsClosed = true;
            return [.. account.Calls.Values];
        }
    }

    /// <summary>Organisations that are closed, and since which generation.</summary>
    public IReadOnlyList<(Guid Organisation, long Generation)> Closed()
    {
        var closed = new List<(Guid, long)>();
        foreach (var (organisation, account) in accounts)
        {
            lock (account)
            {
                if (account.IsClosed)
                {
                    closed.Add((organisation, account.Generation));
                }
            }
        }

        return closed;
    }

    /// <summary>The counters of that generation stand.</summary>
    public void Reopen(Guid organisation, long generation)
    {
        if (!accounts.TryGetValue(organisation, out var account))
        {
            return;
        }

        List<Settlement> waiting;
        lock (account)
        {
            if (account.Generation != generation)
            {
                return; // They are being built once more.
            }

            account.IsClosed = false;
            (waiting, account.Waiting) = (account.Waiting, []);
        }

        waiting.ForEach(GiveBack);
    }

    private void GiveBack(Settlement settlement) =>
        limits.Settle(settlement.Admission, settlement.Record.InputTokens + settlement.Record.OutputTokens, settlement.Record.Nanos, settlement.Claim);

    private sealed class Account
    {
        public Dictionary<Guid, Reported> Calls { get; } = [];

        public List<Settlement> Waiting { get; set; } = [];

        public long Generation { get; set; }

        public bool IsClosed { get; set; }
    }
}

/// <summary>A call as its instance knows it.</summary>
/// <param name="Admission">Its admission.</param>
/// <param name="Record">How it ended; null while it is open.</param>
internal sealed record Reported(AdmissionRow Admission, UsageRecord? Record);
