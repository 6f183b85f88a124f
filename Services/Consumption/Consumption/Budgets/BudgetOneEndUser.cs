using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Usage;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Budgets;

/// <summary>
/// <c>GET</c>, <c>PUT</c>, <c>DELETE /api/v1/budgets/end-user?id=…</c>: what one end user may spend. The id is a parameter, for it may hold anything, slashes too, and proxies do not
/// agree on those in a path.
/// </summary>
internal static class BudgetOneEndUser
{
    private const string IdIs = "The end user's id, as calls give it.";

    /// <param name="EndUser">Whose.</param>
    /// <param name="IsOwn">Whether it is set for this one; else it is the organisation's for each.</param>
    /// <param name="Budget">The budget, what is spent and reserved of it in the period at hand, and what is left.</param>
    internal sealed record Response(string EndUser, bool IsOwn, GetQuota.BudgetState Budget);

    public static void Map(IEndpointRouteBuilder budgets)
    {
        budgets.MapGet("/end-user", GetAsync).WithName("GetEndUserBudget").WithSummary("Read what an end user may spend, and what is left of it");
        budgets.MapPut("/end-user", PutAsync).WithName("PutEndUserBudget").WithSummary("Set what an end user may spend");
        budgets.MapDelete("/end-user", DeleteAsync).WithName("DeleteEndUserBudget").WithSummary("Take an end user's own budget away; what each may spend holds for it then");
    }

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> GetAsync(
        [Description(IdIs)] string id, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (EndUserBudgets.Check(id).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        var organisation = caller.OrganisationId();
        var own = (await db.Set<EndUserBudgetRow>().FindAsync([organisation, id], cancellationToken))?.Budget;
        var budget = own ?? (await db.Set<EndUserBudgetRow>().FindAsync([organisation, EndUserBudgetRow.Each], cancellationToken))?.Budget;
        return await GetQuota.StateAsync(db, budget, organisation, null, id, Periods.Day(time.GetUtcNow()), cancellationToken) is { } state
            ? TypedResults.Ok(new Response(id, own is not null, state))
            : Problems.NotFound("A budget of this end user");
    }

    private static async Task<Results<Ok<Budget>, ProblemHttpResult>> PutAsync(
        [Description(IdIs)] string id, Budget budget, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        Issue[] issues = [.. EndUserBudgets.Check(id), .. BudgetRules.Check(budget, "")];
        if (issues.Length > 0)
        {
            return Problems.Invalid(issues);
        }

        await EndUserBudgets.ChangeAsync(db, caller.OrganisationId(), id, budget, caller.Subject(), time.GetUtcNow(), cancellationToken);
        return TypedResults.Ok(budget);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        [Description(IdIs)] string id, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (EndUserBudgets.Check(id).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        await EndUserBudgets.ChangeAsync(db, caller.OrganisationId(), id, null, caller.Subject(), time.GetUtcNow(), cancellationToken);
        return TypedResults.NoContent();
    }
}
