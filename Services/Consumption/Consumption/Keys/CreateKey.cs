using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>POST /api/v1/keys</c>: a new key of the caller's organisation. The answer holds the key, this once.</summary>
internal static class CreateKey
{
    /// <param name="Name">Name for people.</param>
    /// <param name="Labels">Names and values by which the organisation groups its keys.</param>
    /// <param name="ExpiresAt">When it ends; in 365 days unless said.</param>
    /// <param name="Scopes">What it may call; everything unless said.</param>
    /// <param name="Limits">Limits of its own.</param>
    /// <param name="Budget">The most that may be spent with it.</param>
    /// <param name="EndUserBudget">What each end user may spend who calls by it and has no budget of its own.</param>
    internal sealed record Request(string? Name, Dictionary<string, string>? Labels, DateTimeOffset? ExpiresAt, KeyScopes? Scopes, KeyLimits? Limits, Budget? Budget, Budget? EndUserBudget);

    public static void Map(IEndpointRouteBuilder keys) => keys.MapPost("/", HandleAsync).WithName("CreateKey").WithSummary("Create an API key; it is shown this once");

    private static async Task<Results<Created<KeyView>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, ConsumptionDb db, ApiKeyHasher hasher, TimeProvider time, HttpContext http, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        Issue[] issues =
        [
            .. KeyRules.Name(request.Name), .. KeyRules.Labels(request.Labels), .. KeyRules.Expiry(request.ExpiresAt, now),
            .. KeyRules.Scopes(request.Scopes), .. (request.Limits ?? KeyLimits.None).Check(), .. BudgetRules.Check(request.Budget, "/budget"),
            .. BudgetRules.Check(request.EndUserBudget, "/endUserBudget"),
        ];
        if (issues.Length > 0)
        {
            return Problems.Invalid(issues);
        }

        var key = ApiKey.Create();
        var row = new KeyRow
        {
            Id = Guid.CreateVersion7(now),
            OrganisationId = caller.OrganisationId(),
            Identifier = key.Identifier,
            Hash = hasher.Hash(key),
            HashKeyId = hasher.KeyId,
            Name = request.Name!,
            Labels = request.Labels ?? [],
            Services = [.. request.Scopes?.Services ?? []],
            Categories = [.. request.Scopes?.Categories ?? []],
            Limits = request.Limits ?? KeyLimits.None,
            Budget = request.Budget,
            EndUserBudget = request.EndUserBudget,
            CreatedBy = caller.Subject(),
            CreatedAt = now,
            ExpiresAt = (request.ExpiresAt ?? now + KeyRules.DefaultLifetime).ToUniversalTime(),
        };
        db.Add(row);
        await db.SaveChangesAsync(cancellationToken);
        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/api/v1/keys/{row.Id}", KeyView.Of(row, now, key.Text));
    }
}
