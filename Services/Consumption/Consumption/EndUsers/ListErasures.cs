using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.EndUsers;

/// <summary><c>GET /api/v1/end-users/erasures</c>: what was erased in the caller's organisation, by whom and when, newest first. For audits; whom it concerned is not kept.</summary>
internal static class ListErasures
{
    /// <param name="Id">UUID v7.</param>
    /// <param name="Pseudonym">What stands in the id's place.</param>
    /// <param name="RequestedBy">Who asked for it.</param>
    /// <param name="RequestedAt">When.</param>
    /// <param name="Records">Usage records that named the person then.</param>
    internal sealed record Item(Guid Id, string Pseudonym, string RequestedBy, DateTimeOffset RequestedAt, long Records);

    private sealed record Position(Guid Id);

    public static void Map(IEndpointRouteBuilder endUsers) => endUsers.MapGet("/erasures", HandleAsync).WithName("ListErasures").WithSummary("List the erasures of end users' ids, newest first");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        Position? after = null;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        var (organisation, size) = (caller.OrganisationId(), Paging.Limit(limit));
        var rows = await db.Set<Erasure>().AsNoTracking()
            .Where(erasure => erasure.OrganisationId == organisation && (after == null || erasure.Id < after.Id))
            .OrderByDescending(erasure => erasure.Id).Take(size + 1)
            .Select(erasure => new Item(erasure.Id, erasure.Pseudonym, erasure.RequestedBy, erasure.RequestedAt, erasure.Records))
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>([.. rows.Take(size)], rows.Count > size ? Paging.Encode(new Position(rows[size - 1].Id)) : null));
    }
}
