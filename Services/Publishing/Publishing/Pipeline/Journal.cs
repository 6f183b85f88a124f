using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>Adds entries to a run's journal; they are saved with the change that they tell of.</summary>
internal static class Journal
{
    public static void Note(this PublishingDb db, PipelineRun run, string type, DateTimeOffset now, RunStatus outcome, IReadOnlyList<Issue>? issues = null) =>
        db.Add(run, type, now, null, null, WireNames<RunStatus>.Of(outcome), null, issues);

    public static void Note(this PublishingDb db, PipelineRun run, PipelineStepRun step, string type, DateTimeOffset now, string? verdict = null) =>
        db.Add(run, type, now, step.Name, AttemptOf(step, type), WireNames<StepStatus>.Of(step.Status), verdict ?? step.Verdict, step.Issues);

    /// <summary>The attempt that an entry tells of: the last that failed, or the one under way or done.</summary>
    private static int AttemptOf(PipelineStepRun step, string type) => type is "step_retrying" || step.Status == StepStatus.Failed ? step.FailedAttempts : step.FailedAttempts + 1;

    private static void Add(this PublishingDb db, PipelineRun run, string type, DateTimeOffset now, string? step, int? attempt, string outcome, string? verdict, IReadOnlyList<Issue>? issues) =>
        db.Entries.Add(new PipelineEntry
        {
            RunId = run.Id,
            Number = ++run.LastEntry,
            Time = now,
            Type = type,
            Step = step,
            Attempt = attempt,
            Outcome = outcome,
            Verdict = verdict,
            Issues = issues ?? [],
        });
}
