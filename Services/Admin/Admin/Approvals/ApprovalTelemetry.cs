using System.Diagnostics.Metrics;

namespace LlmMarketplace.Admin.Approvals;

/// <summary>Metrics of the approval queue: <c>LlmMarketplace.Admin</c>.</summary>
internal sealed class ApprovalTelemetry : IDisposable
{
    private readonly Meter meter;
    private readonly Counter<long> closed;
    private readonly Counter<long> escalated;

    public ApprovalTelemetry(IMeterFactory meters)
    {
        meter = meters.Create("LlmMarketplace.Admin");
        closed = meter.CreateCounter<long>("marketplace.approvals.closed", "{approval}", "Approvals that ended, by outcome.");
        escalated = meter.CreateCounter<long>("marketplace.approvals.escalated", "{approval}", "Approvals that waited too long for a decision.");
    }

    public void Closed(ApprovalStatus outcome) => closed.Add(1, new KeyValuePair<string, object?>("outcome", outcome.ToString()));

    public void Escalated() => escalated.Add(1);

    public void Dispose() => meter.Dispose();
}
