using System.Diagnostics;
using System.Diagnostics.Metrics;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>Traces and metrics of the pipeline: <c>LlmMarketplace.Publishing</c>.</summary>
internal sealed class PipelineTelemetry : IDisposable
{
    public const string Name = "LlmMarketplace.Publishing";

    private readonly ActivitySource activities = new(Name);
    private readonly Meter meter;
    private readonly Histogram<double> steps;
    private readonly Counter<long> runs;

    public PipelineTelemetry(IMeterFactory meters)
    {
        meter = meters.Create(Name);
        steps = meter.CreateHistogram<double>("marketplace.publishing.step.duration", "s", "Time that one attempt at a pipeline step took.");
        runs = meter.CreateCounter<long>("marketplace.publishing.runs", "{run}", "Pipeline runs that ended.");
    }

    public Activity? Start(PipelineRun run, string step) => activities.StartActivity($"pipeline {step}")?
        .SetTag("marketplace.pipeline.run", run.Id).SetTag("marketplace.listing.id", run.ListingId).SetTag("marketplace.version.id", run.VersionId);

    public void StepEnded(string step, StepStatus outcome, TimeSpan took) =>
        steps.Record(took.TotalSeconds, new("step", step), new("outcome", WireNames<StepStatus>.Of(outcome)));

    public void RunEnded(RunStatus outcome) => runs.Add(1, new KeyValuePair<string, object?>("outcome", WireNames<RunStatus>.Of(outcome)));

    public void Dispose()
    {
        activities.Dispose();
        meter.Dispose();
    }
}
