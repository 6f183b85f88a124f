using System.Security.Claims;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Publishing.Pipeline;

/// <summary><c>GET /api/v1/pipeline-runs/{id}</c>.</summary>
internal static class GetRun
{
    public static void Map(RouteGroupBuilder runs) => runs.MapGet("/{id:guid}", HandleAsync).WithName("GetPipelineRun").WithSummary("Read a pipeline run with its steps and verdicts");

    private static async Task<Results<Ok<RunView>, ProblemHttpResult>> HandleAsync(Guid id, ClaimsPrincipal caller, PublishingDb db, CancellationToken cancellationToken) =>
        await FindAsync(db, id, caller, cancellationToken) is { } run ? TypedResults.Ok(RunView.Of(run)) : Refusals.NoRun;

    public static async Task<PipelineRun?> FindAsync(PublishingDb db, Guid id, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        var run = await db.Runs.AsNoTracking().Include(found => found.Steps).SingleOrDefaultAsync(found => found.Id == id, cancellationToken).ConfigureAwait(false);
        return run is not null && caller.MaySee(await db.Listings.AsNoTracking().SingleAsync(listing => listing.Id == run.ListingId, cancellationToken).ConfigureAwait(false)) ? run : null;
    }
}
