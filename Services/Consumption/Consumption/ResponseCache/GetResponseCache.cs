using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary><c>GET /api/v1/response-cache</c>; 404 while it is switched off.</summary>
internal static class GetResponseCache
{
    public static void Map(IEndpointRouteBuilder cache) => cache.MapGet("/", HandleAsync).WithName("GetResponseCache").WithSummary("Read how the organisation's answers are cached; 404 while they are not");

    private static async Task<Results<Ok<CacheSetting>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken) =>
        await db.Set<CacheSettingRow>().FindAsync([caller.OrganisationId()], cancellationToken) is { Setting: { } setting } ? TypedResults.Ok(setting) : Problems.NotFound("The response cache");
}
