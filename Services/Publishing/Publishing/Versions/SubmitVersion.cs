using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions/{version}/submit</c> → 202 with the run. Repeating it answers the same run while that goes on or has succeeded.</summary>
internal static class SubmitVersion
{
    /// <summary>The most characters of a listing's published declarations together: an event carries them all.</summary>
    private const int MostCharacters = 1_000_000;

    public static void Map(RouteGroupBuilder listings) => listings.MapPost("/{id:guid}/versions/{version}/submit", HandleAsync).WithName("SubmitVersion").WithSummary("Send a version through the pipeline");

    private static async Task<Results<Accepted<RunView>, ProblemHttpResult>> HandleAsync(
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

        if (found.Status is VersionStatus.Validating or VersionStatus.PendingApproval or VersionStatus.Active)
        {
            var known = await db.Runs.AsNoTracking().Include(run => run.Steps).Where(run => run.VersionId == found.Id).OrderByDescending(run => run.Id).FirstAsync(cancellationToken);
            return TypedResults.Accepted(Address(known), RunView.Of(known));
        }

        if (listing.Versions.Where(one => one == found || VersionLifecycle.LeftTheDesk.Contains(one.Status)).Sum(one => one.Document.Length) > MostCharacters)
        {
            return Problems.Conflict("listing_too_large", $"The declarations of a listing's versions have at most {MostCharacters} characters together: go on in a new listing.");
        }

        if (!found.TryBecome(VersionStatus.Validating, desk.Now))
        {
            return Refusals.IllegalTransition(VersionLifecycle.Explain(found.Status, VersionStatus.Validating));
        }

        var started = Start(db, found, caller.Subject(), desk.Now);
        await desk.CommitAsync(cancellationToken);
        signal.Notify();
        return TypedResults.Accepted(Address(started), RunView.Of(started));
    }

    private static PipelineRun Start(PublishingDb db, ListingVersion version, string requestedBy, DateTimeOffset now)
    {
        version.Issues = [];
        version.StatusReason = null;
        var run = new PipelineRun { Id = Guid.CreateVersion7(), ListingId = version.ListingId, VersionId = version.Id, RequestedBy = requestedBy, CreatedAt = now, DueAt = now };
        db.Runs.Add(run);
        db.Note(run, "run_started", now, RunStatus.Running);
        return run;
    }

    private static string Address(PipelineRun run) => $"/api/v1/pipeline-runs/{run.Id}";
}
