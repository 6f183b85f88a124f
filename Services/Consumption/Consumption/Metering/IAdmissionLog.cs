namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Where it stands, whatever dies, that a call was admitted, and how it ended. An admission outlives this process before the call is forwarded; an outcome is on disk before the
/// caller has the whole answer. One record comes of it.
/// </summary>
internal interface IAdmissionLog
{
    /// <summary>Why no call can be admitted now, or null.</summary>
    string? Closed { get; }

    /// <summary>Notes the admission. False: the counters that hold its reservation are being built anew, without it: reserve anew.</summary>
    /// <exception cref="UsageLog.LogUnavailableException">It could not be noted: its reservation is given back, and the call must not be forwarded.</exception>
    bool Admit(AdmissionRow admission);

    /// <summary>Settles an admitted call: returns once its record is on disk, and has the difference given back to the counters.</summary>
    Task SettleAsync(Settlement settlement);
}

/// <summary>How an admitted call ended.</summary>
/// <param name="Admission">The admission.</param>
/// <param name="Record">Its one record.</param>
/// <param name="Claim">What becomes of its idempotency key, when it has one and is complete.</param>
internal sealed record Settlement(AdmissionRow Admission, UsageRecord Record, Idempotency.EndedClaim? Claim = null);
