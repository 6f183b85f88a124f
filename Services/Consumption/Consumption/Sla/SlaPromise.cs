using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>What was seen of one promise.</summary>
/// <param name="Metric">Which.</param>
/// <param name="Promised">In milliseconds, or per cent.</param>
/// <param name="Observed">The same.</param>
/// <param name="IsKept">Whether it is.</param>
/// <param name="Severity">If it is not.</param>
/// <param name="Calls">How many calls were looked at.</param>
/// <param name="Failures">Of these, the failed ones.</param>
internal sealed record SlaPromise(SlaMetric Metric, decimal Promised, decimal Observed, bool IsKept, SlaSeverity Severity, long Calls, long Failures)
{
    /// <summary>Latency and error rate of the window, availability of the month; what no call tells of is left out.</summary>
    /// <param name="sla">What the version promises.</param>
    /// <param name="mostFailures">Error rate that is allowed, in per cent.</param>
    /// <param name="window">Calls, failures and the longest time within the window.</param>
    /// <param name="month">Calls and failures of the month so far.</param>
    public static IEnumerable<SlaPromise> Of(ServiceLevel sla, decimal mostFailures, (long Calls, long Failures, double WorstMs) window, (long Calls, long Failures) month)
    {
        if (window.WorstMs > 0)
        {
            var worst = Math.Round((decimal)Math.Min(window.WorstMs, 1e12), 3);
            yield return new(SlaMetric.Latency, sla.MaxLatencyMs, worst, worst <= sla.MaxLatencyMs, worst > 2m * sla.MaxLatencyMs ? SlaSeverity.Critical : SlaSeverity.Major, window.Calls, window.Failures);
        }

        if (window.Calls > 0)
        {
            var rate = 100m * window.Failures / window.Calls;
            yield return new(SlaMetric.ErrorRate, mostFailures, Math.Round(rate, 6), rate <= mostFailures, SlaSeverity.Major, window.Calls, window.Failures);
        }

        if (month.Calls > 0)
        {
            var available = 100m - (100m * month.Failures / month.Calls);
            yield return new(SlaMetric.Availability, sla.Availability, Math.Round(available, 6), available >= sla.Availability, SlaSeverity.Major, month.Calls, month.Failures);
        }
    }
}
