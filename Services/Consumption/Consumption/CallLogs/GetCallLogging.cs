using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>GET /api/v1/call-logging</c>; 404 while it is switched off.</summary>
internal static class GetCallLogging
{
    public static void Map(IEndpointRouteBuilder logging) => logging.MapGet("/", HandleAsync).WithName("GetCallLogging").WithSummary("Read how the organisation's calls are logged; 404 while they are not");

    private static async Task<Results<Ok<LoggingSetting>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken) =>
        await db.Set<LoggingSettingRow>().FindAsync([caller.OrganisationId()], cancellationToken) is { Setting: { } setting } ? TypedResults.Ok(setting) : Problems.NotFound("Call logging");
}
