using System.Diagnostics;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary>
/// Takes a run one step further. Everything it knows is in the database:
/// <code>
/// 1 the first step of the list that is not done (a step that a newer release added is done by runs under way as well)
/// 2 "started" is stored, so that watchers see it and a crash is seen as an attempt cut short
/// 3 the step runs
/// 4 what it changed, its outcome and the journal are one transaction, and only under the lease it was begun with
/// </code>
/// A failure is stored by a context of its own, for the step's may hold half a change.
/// </summary>
internal sealed partial class PipelineEngine(IServiceScopeFactory scopes, PipelineTelemetry telemetry, TimeProvider time, ILogger<PipelineEngine> logger)
{
    /// <summary>True when the run can go on at once.</summary>
    public async Task<bool> AdvanceAsync(ClaimedRun claimed, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PublishingDb>();
        var desk = scope.ServiceProvider.GetRequiredService<ListingDesk>();
        if (await FindAsync(db, claimed, cancellationToken).ConfigureAwait(false) is not { Ended: false } run || run.Status == RunStatus.Waiting)
        {
            return false;
        }

        var steps = scope.ServiceProvider.GetServices<IPipelineStep>().ToList();
        if (run.Status == RunStatus.Compensating)
        {
            return await CompensateAsync(new PipelineContext(run, db, desk), steps, cancellationToken).ConfigureAwait(false);
        }

        if (steps.Find(step => !run.Steps.Exists(done => done.Name == step.Name && done.Status is StepStatus.Succeeded or StepStatus.Skipped)) is not { } next)
        {
            await FinishAsync(db, run, RunStatus.Succeeded, cancellationToken).ConfigureAwait(false);
            return false;
        }

        var stepRun = await StartAsync(db, run, next, cancellationToken).ConfigureAwait(false);
        using var activity = telemetry.Start(run, next.Name);
        var began = time.GetTimestamp();
        try
        {
            var outcome = await next.RunAsync(new PipelineContext(run, db, desk), cancellationToken).ConfigureAwait(false);
            await StoreAsync(db, desk, run, stepRun, outcome, steps, cancellationToken).ConfigureAwait(false);
            telemetry.StepEnded(next.Name, stepRun.Status, time.GetElapsedTime(began));
            return run.Status is RunStatus.Running or RunStatus.Compensating;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            activity?.SetStatus(ActivityStatusCode.Error, failure.Message);
            telemetry.StepEnded(next.Name, StepStatus.Failed, time.GetElapsedTime(began));
            return await StoreFailureAsync(claimed, next, failure, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<PipelineRun?> FindAsync(PublishingDb db, ClaimedRun claimed, CancellationToken cancellationToken) =>
        await db.Runs.Include(run => run.Steps).SingleOrDefaultAsync(run => run.Id == claimed.Id && run.Lease == claimed.Lease, cancellationToken).ConfigureAwait(false);

    private async Task<PipelineStepRun> StartAsync(PublishingDb db, PipelineRun run, IPipelineStep step, CancellationToken cancellationToken)
    {
        var stepRun = run.Steps.Find(known => known.Name == step.Name);
        if (stepRun is null)
        {
            stepRun = new PipelineStepRun { RunId = run.Id, Name = step.Name, Ordinal = run.Steps.Count + 1, StartedAt = time.GetUtcNow() };
            run.Steps.Add(stepRun);
        }

        stepRun.Status = StepStatus.Running;
        db.Note(run, stepRun, "step_started", time.GetUtcNow());
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        return stepRun;
    }

    private async Task StoreAsync(PublishingDb db, ListingDesk desk, PipelineRun run, PipelineStepRun step, StepOutcome outcome, List<IPipelineStep> steps, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        step.Verdict = outcome.Verdict;
        step.Status = outcome switch
        {
            StepOutcome.Succeeded => StepStatus.Succeeded,
            StepOutcome.Skipped => StepStatus.Skipped,
            StepOutcome.Waiting => StepStatus.Waiting,
            _ => StepStatus.Refused,
        };
        if (outcome is StepOutcome.Waiting)
        {
            run.Status = RunStatus.Waiting;
            db.Note(run, step, "step_waiting", now);
        }
        else
        {
            step.FinishedAt = now;
            step.Issues = (outcome as StepOutcome.Refused)?.Issues ?? [];
            db.Note(run, step, "step_finished", now);
        }

        if (outcome is StepOutcome.Refused refused)
        {
            await FailAsync(db, desk, run, refused.Issues, steps, cancellationToken).ConfigureAwait(false);
        }

        await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<bool> StoreFailureAsync(ClaimedRun claimed, IPipelineStep step, Exception failure, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<PublishingDb>();
        var desk = scope.ServiceProvider.GetRequiredService<ListingDesk>();
        if (await FindAsync(db, claimed, cancellationToken).ConfigureAwait(false) is not { Ended: false } run)
        {
            return false; // Somebody else has it: what was done here was not stored.
        }

        var stepRun = run.Steps.Single(known => known.Name == step.Name);
        stepRun.FailedAttempts++;
        Log.Failed(logger, failure, step.Name, run.Id, stepRun.FailedAttempts, step.Attempts);
        var now = time.GetUtcNow();
        if (stepRun.FailedAttempts < step.Attempts)
        {
            var wait = Backoff(stepRun.FailedAttempts);
            run.DueAt = now + wait;
            db.Note(run, stepRun, "step_retrying", now, $"Attempt {stepRun.FailedAttempts} of {step.Attempts} failed; the next one is in {wait.TotalSeconds:0} s.");
        }
        else
        {
            stepRun.Status = StepStatus.Failed;
            stepRun.FinishedAt = now;
            stepRun.Verdict = $"All {step.Attempts} attempts failed. It is not your declaration's fault: submit the version again later.";
            stepRun.Issues = [new Issue("step_failed", "", $"The step {step.Name} could not be done in {step.Attempts} attempts.")];
            db.Note(run, stepRun, "step_finished", now);
            await FailAsync(db, desk, run, stepRun.Issues, [.. scope.ServiceProvider.GetServices<IPipelineStep>()], cancellationToken).ConfigureAwait(false);
        }

        await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
        return run.Status == RunStatus.Compensating;
    }

    private async Task FailAsync(PublishingDb db, ListingDesk desk, PipelineRun run, IReadOnlyList<Issue> issues, List<IPipelineStep> steps, CancellationToken cancellationToken)
    {
        run.Failure = issues;
        if (NextToCompensate(run, steps) is not null)
        {
            run.Status = RunStatus.Compensating;
            return;
        }

        await RefuseVersionAsync(db, desk, run, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes back the last effect that stands, one at a time; the version is refused when none is left.</summary>
    private async Task<bool> CompensateAsync(PipelineContext context, List<IPipelineStep> steps, CancellationToken cancellationToken)
    {
        var run = context.Run;
        if (NextToCompensate(run, steps) is not (var step, var stepRun))
        {
            return false;
        }

        try
        {
            await step.CompensateAsync(context, cancellationToken).ConfigureAwait(false);
            stepRun.Status = StepStatus.Compensated;
            context.Db.Note(run, stepRun, "step_compensated", time.GetUtcNow());
            if (NextToCompensate(run, steps) is null)
            {
                await RefuseVersionAsync(context.Db, context.Desk, run, cancellationToken).ConfigureAwait(false);
            }

            await context.Desk.CommitAsync(cancellationToken).ConfigureAwait(false);
            return run.Status == RunStatus.Compensating;
        }
        catch (Exception failure) when (failure is not OperationCanceledException and not OutOfMemoryException)
        {
            Log.NotCompensated(logger, failure, step.Name, run.Id);
            await using var scope = scopes.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<PublishingDb>().Runs.Where(r => r.Id == run.Id && r.Lease == run.Lease)
                .ExecuteUpdateAsync(set => set.SetProperty(r => r.DueAt, time.GetUtcNow() + TimeSpan.FromSeconds(2)), cancellationToken).ConfigureAwait(false);
            return false;
        }
    }

    private static (ICompensatedStep Step, PipelineStepRun Run)? NextToCompensate(PipelineRun run, List<IPipelineStep> steps)
    {
        foreach (var done in run.Steps.Where(step => step.Status == StepStatus.Succeeded).OrderByDescending(step => step.Ordinal))
        {
            if (steps.Find(step => step.Name == done.Name) is ICompensatedStep compensated)
            {
                return (compensated, done);
            }
        }

        return null;
    }

    private async Task RefuseVersionAsync(PublishingDb db, ListingDesk desk, PipelineRun run, CancellationToken cancellationToken)
    {
        var listing = (await desk.OpenAsync(run.ListingId, cancellationToken).ConfigureAwait(false))!;
        var version = listing.Versions.Single(version => version.Id == run.VersionId);
        version.Issues = run.Failure;
        version.StatusReason = string.Join(" ", run.Failure.Select(issue => issue.Message).Take(3));
        if (version.TryBecome(VersionStatus.Rejected, time.GetUtcNow()))
        {
            desk.Announce(listing, ChangeCauses.Rejected);
        }
        else
        {
            version.Become(VersionStatus.FailedValidation, time.GetUtcNow());
        }

        End(db, run, RunStatus.Failed);
    }

    private async Task FinishAsync(PublishingDb db, PipelineRun run, RunStatus status, CancellationToken cancellationToken)
    {
        End(db, run, status);
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
    }

    private void End(PublishingDb db, PipelineRun run, RunStatus status)
    {
        run.Status = status;
        run.FinishedAt = time.GetUtcNow();
        db.Note(run, "run_finished", time.GetUtcNow(), status, run.Failure);
        telemetry.RunEnded(status);
    }

    /// <summary>1, 2, 4 … seconds.</summary>
    private static TimeSpan Backoff(int failedAttempts) => TimeSpan.FromSeconds(1 << Math.Min(failedAttempts - 1, 6));

    private static partial class Log
    {
        [LoggerMessage(6011, LogLevel.Warning, "The step {Step} of the pipeline run {Run} failed: attempt {Attempt} of {Attempts}.")]
        public static partial void Failed(ILogger logger, Exception failure, string step, Guid run, int attempt, int attempts);

        [LoggerMessage(6012, LogLevel.Error, "The effect of the step {Step} of the pipeline run {Run} could not be taken back; it is tried again.")]
        public static partial void NotCompensated(ILogger logger, Exception failure, string step, Guid run);
    }
}
