using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Admin.Approvals;

/// <summary><c>GET /api/v1/approvals/{id}</c>: with the specification under review.</summary>
internal static class GetApproval
{
    public static void Map(RouteGroupBuilder approvals) => approvals.MapGet("/{id:guid}", HandleAsync).WithName("GetApproval").WithSummary("Read an approval with what is under review");

    private static async Task<Results<Ok<ApprovalDetail>, ProblemHttpResult>> HandleAsync(Guid id, AdminDb db, CancellationToken cancellationToken) =>
        await db.Approvals.AsNoTracking().SingleOrDefaultAsync(approval => approval.Id == id, cancellationToken) is { } found
            ? TypedResults.Ok(ApprovalDetail.Of(found))
            : Problems.NotFound("This approval");
}
