using System.Security.Claims;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>DELETE /api/v1/call-logs</c>: erases what is logged, and leaves logging as it is; calls that ended before and are written later are not kept either.</summary>
internal static class EraseCallLogs
{
    public static void Map(IEndpointRouteBuilder logs) => logs.MapDelete("/", HandleAsync).WithName("EraseCallLogs").WithSummary("Erase the logged calls");

    // The first statement waits for calls that are just being written, the second one sees them; those that are written later are refused by the first (KeepCallLogs).
    private static async Task<NoContent> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        await db.Database.ExecuteSqlAsync(
            $"""
             UPDATE call_logging_settings SET erased_at = clock_timestamp() WHERE organisation_id = {organisation};
             DELETE FROM call_logs WHERE organisation_id = {organisation}
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }
}
