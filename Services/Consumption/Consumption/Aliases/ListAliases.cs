using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Aliases;

/// <summary><c>GET /api/v1/aliases</c>: the organisation's aliases, by name.</summary>
internal static class ListAliases
{
    public static void Map(IEndpointRouteBuilder aliases) => aliases.MapGet("/", HandleAsync).WithName("ListAliases").WithSummary("List the organisation's aliases");

    private static async Task<Results<Ok<Page<Alias>>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        var after = "";
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        var (organisation, size) = (caller.OrganisationId(), Paging.Limit(limit));
        var rows = await db.Set<AliasRow>().AsNoTracking()
            .Where(alias => alias.OrganisationId == organisation && alias.Target != null && EF.Functions.GreaterThan(ValueTuple.Create(alias.OrganisationId, alias.Name), ValueTuple.Create(organisation, after)))
            .OrderBy(alias => alias.Name)
            .Take(size + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Alias>([.. rows.Take(size).Select(row => row.Alias!)], rows.Count > size ? Paging.Encode(rows[size - 1].Name) : null));
    }
}
