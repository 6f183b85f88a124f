using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary><c>GET /api/v1/budgets/end-users</c>: the end users who have a budget of their own, by id.</summary>
internal static class ListEndUserBudgets
{
    /// <param name="EndUser">Whose.</param>
    /// <param name="Budget">What it may spend.</param>
    /// <param name="ChangedBy">Subject who set it last.</param>
    /// <param name="ChangedAt">When.</param>
    internal sealed record Item(string EndUser, Budget Budget, string ChangedBy, DateTimeOffset ChangedAt);

    public static void Map(IEndpointRouteBuilder budgets) => budgets.MapGet("/end-users", HandleAsync).WithName("ListEndUserBudgets").WithSummary("List the end users who have a budget of their own");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        var after = EndUserBudgetRow.Each;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        var (organisation, size) = (caller.OrganisationId(), Paging.Limit(limit));
        var rows = await db.Set<EndUserBudgetRow>().AsNoTracking()
            .Where(row => row.OrganisationId == organisation && row.Amount != null && EF.Functions.GreaterThan(ValueTuple.Create(row.OrganisationId, row.EndUser), ValueTuple.Create(organisation, after)))
            .OrderBy(row => row.EndUser)
            .Take(size + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>(
            [.. rows.Take(size).Select(row => new Item(row.EndUser, row.Budget!, row.ChangedBy, row.ChangedAt))],
            rows.Count > size ? Paging.Encode(rows[size - 1].EndUser) : null));
    }
}
