namespace LlmMarketplace.Consumption.Metering;

/// <summary>
/// Where it stands, whatever dies, that a call was admitted, and how it ended. An admission is on disk before the call is forwarded; a settlement takes the
/// admission away and leaves the one record of the call, and its event, in the same step.
/// </summary>
internal interface IAdmissionLog
{
    /// <summary>Notes the admission. False: the counters that hold its reservation were rebuilt meanwhile, without it: reserve anew.</summary>
    /// <exception cref="AdmissionUnknownException">It could not be noted, or nobody knows: the call must not be forwarded, but settled.</exception>
    Task<bool> AdmitAsync(AdmissionRow admission);

    /// <summary>
    /// Settles an admitted call, returns once that is on disk, and gives the difference back to the counters. Waits for a database that is
    /// away. A call that is settled already, or was never noted, leaves no second record.
    /// </summary>
    Task SettleAsync(Settlement settlement);
}

/// <summary>How an admitted call ended.</summary>
/// <param name="Admission">The admission.</param>
/// <param name="Record">Its one record.</param>
internal sealed record Settlement(AdmissionRow Admission, UsageRecord Record);

/// <summary>Nobody knows whether the admission was noted.</summary>
internal sealed class AdmissionUnknownException(string message, Exception inner) : Exception(message, inner);
