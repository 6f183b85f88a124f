using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>GET /api/v1/keys</c>: the keys of the caller's organisation, newest first.</summary>
internal static class ListKeys
{
    public static void Map(IEndpointRouteBuilder keys) => keys.MapGet("/", HandleAsync).WithName("ListKeys").WithSummary("List the organisation's API keys");

    private static async Task<Results<Ok<Page<KeyView>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        var before = Guid.AllBitsSet;
        if (Paging.Resume(cursor, ref before) is { } invalid)
        {
            return invalid;
        }

        var (organisation, size, now) = (caller.OrganisationId(), Paging.Limit(limit), time.GetUtcNow());
        var rows = await db.Set<KeyRow>().AsNoTracking()
            .Where(key => key.OrganisationId == organisation && key.Id < before)
            .OrderByDescending(key => key.Id)
            .Take(size + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<KeyView>(
            [.. rows.Take(size).Select(row => KeyView.Of(row, now))],
            rows.Count > size ? Paging.Encode(rows[size - 1].Id) : null));
    }
}
