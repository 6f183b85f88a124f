using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Aliases;

/// <summary><c>GET /api/v1/aliases/{name}</c>.</summary>
internal static class GetAlias
{
    public static void Map(IEndpointRouteBuilder aliases) => aliases.MapGet("/{name}", HandleAsync).WithName("GetAlias").WithSummary("Read what a bare model name stands for");

    private static async Task<Results<Ok<Alias>, ProblemHttpResult>> HandleAsync([Description("As calls write it, for instance `gpt-4o`.")] string name, ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken) =>
        await db.Set<AliasRow>().FindAsync([caller.OrganisationId(), name], cancellationToken) is { Alias: { } alias } ? TypedResults.Ok(alias) : Problems.NotFound("The alias");
}
