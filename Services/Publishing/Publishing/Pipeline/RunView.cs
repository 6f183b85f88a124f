using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>A run as its watchers see it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="ListingId">The listing.</param>
/// <param name="VersionId">The version under way.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="RequestedBy">Subject who submitted the version.</param>
/// <param name="Steps">The steps begun so far, in order.</param>
/// <param name="Issues">Why it failed.</param>
/// <param name="CreatedAt">When it was submitted.</param>
/// <param name="FinishedAt">When it ended.</param>
internal sealed record RunView(
    Guid Id,
    Guid ListingId,
    Guid VersionId,
    RunStatus Status,
    string RequestedBy,
    IReadOnlyList<StepView> Steps,
    IReadOnlyList<Issue> Issues,
    DateTimeOffset CreatedAt,
    DateTimeOffset? FinishedAt)
{
    public static RunView Of(PipelineRun run) => new(
        run.Id,
        run.ListingId,
        run.VersionId,
        run.Status,
        run.RequestedBy,
        [.. run.Steps.OrderBy(step => step.Ordinal).Select(step => new StepView(step.Name, step.Status, step.FailedAttempts, step.Verdict, step.Issues, step.StartedAt, step.FinishedAt))],
        run.Failure,
        run.CreatedAt,
        run.FinishedAt);
}

/// <summary>A step of a run.</summary>
internal sealed record StepView(string Name, StepStatus Status, int FailedAttempts, string? Verdict, IReadOnlyList<Issue> Issues, DateTimeOffset StartedAt, DateTimeOffset? FinishedAt);
