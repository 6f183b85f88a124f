using System.Security.Claims;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>DELETE /api/v1/call-logging</c>: logs no more; what is logged stays for its days, or until it is erased. Repeating it changes nothing.</summary>
internal static class DeleteCallLogging
{
    public static void Map(IEndpointRouteBuilder logging) => logging.MapDelete("/", HandleAsync).WithName("DeleteCallLogging").WithSummary("Log the organisation's calls no more");

    private static async Task<NoContent> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        await db.Database.ExecuteSqlAsync(
            $"""
             UPDATE call_logging_settings SET days_kept = NULL, changed_by = {caller.Subject()}, changed_at = {time.GetUtcNow()}
             WHERE organisation_id = {caller.OrganisationId()} AND days_kept IS NOT NULL
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }
}
