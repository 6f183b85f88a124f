using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Publishing.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions/{version}/withdraw</c>: the provider no longer waits for the approval; the version ends as rejected.</summary>
internal static class WithdrawVersion
{
    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/{id:guid}/versions/{version}/withdraw", HandleAsync).WithName("WithdrawVersion").WithSummary("Withdraw a version that waits for approval");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, ClaimsPrincipal caller, PublishingDb db, ListingDesk desk, PipelineSignal signal, CancellationToken cancellationToken)
    {
        if (await desk.OpenAsync(id, cancellationToken) is not { } listing || !caller.MaySee(listing))
        {
            return Refusals.NoListing;
        }

        if (!caller.Owns(listing))
        {
            return Refusals.NotYours;
        }

        if (listing.Versions.Find(one => one.Version == version) is not { } found)
        {
            return Refusals.NoVersion;
        }

        var run = found.Approval is null ? null : await db.Runs.Include(waiting => waiting.Steps).SingleAsync(waiting => waiting.Id == found.Approval.RunId, cancellationToken);
        if (run is not { Status: RunStatus.Waiting })
        {
            return Problems.Conflict("not_waiting", "Only a version that waits for an approval can be withdrawn.");
        }

        var step = run.Steps.Single(waiting => waiting.Status == StepStatus.Waiting);
        step.Status = StepStatus.Refused;
        step.FinishedAt = desk.Now;
        step.Verdict = $"Withdrawn by {caller.Identity?.Name ?? "its provider"}.";
        step.Issues = run.Failure = found.Issues = [new Issue("withdrawn", "", "The provider withdrew the version.")];
        db.Note(run, step, "step_finished", desk.Now);
        run.Status = RunStatus.Failed;
        run.FinishedAt = desk.Now;
        db.Note(run, "run_finished", desk.Now, run.Status, run.Failure);
        found.Become(VersionStatus.Rejected, desk.Now);
        found.StatusReason = "Withdrawn by its provider.";
        desk.Announce(listing, ChangeCauses.Rejected);
        await desk.CommitAsync(cancellationToken);
        signal.Notify();
        return TypedResults.Ok(VersionView.Of(listing, found));
    }
}
