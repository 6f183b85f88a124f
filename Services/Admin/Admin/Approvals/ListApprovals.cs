using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Admin.Approvals;

/// <summary><c>GET /api/v1/approvals?status=</c>: the oldest first, for those have waited longest.</summary>
internal static class ListApprovals
{
    public static void Map(RouteGroupBuilder approvals) => approvals.MapGet("/", HandleAsync).WithName("ListApprovals").WithSummary("List approvals, oldest first");

    private static async Task<Results<Ok<Page<ApprovalView>>, ProblemHttpResult>> HandleAsync(
        AdminDb db, CancellationToken cancellationToken, [Description("Only those that are pending, approved, rejected, expired or obsolete.")] string? status = null, int? limit = null, string? cursor = null)
    {
        var found = db.Approvals.AsNoTracking();
        if (status is not null)
        {
            if (!Enum.TryParse<ApprovalStatus>(status, ignoreCase: true, out var only) || !Enum.IsDefined(only) || char.IsDigit(status[0]))
            {
                return Problems.Of(StatusCodes.Status400BadRequest, "invalid_status", "status is one of pending, approved, rejected, expired, obsolete.");
            }

            found = found.Where(approval => approval.Status == only);
        }

        var after = Guid.Empty;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        found = found.Where(approval => approval.Id.CompareTo(after) > 0);

        var size = Paging.Limit(limit);
        var page = await found.OrderBy(approval => approval.Id).Take(size + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<ApprovalView>([.. page.Take(size).Select(ApprovalView.Of)], page.Count > size ? Paging.Encode(page[size - 1].Id) : null));
    }
}
