using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Aliases;

/// <summary><c>PUT /api/v1/aliases/{name}</c>: defines or changes what a bare name stands for in all calls of the caller's organisation. Holds in every instance within a second.</summary>
internal static class PutAlias
{
    /// <param name="Target">What the name stands for: <c>provider/service</c>, <c>provider/service@1.2</c>, or a preference. It need not be published yet.</param>
    internal sealed record Request([property: Required] string? Target);

    public static void Map(IEndpointRouteBuilder aliases) => aliases.MapPut("/{name}", HandleAsync).WithName("PutAlias").WithSummary("Define what a bare model name stands for");

    private static async Task<Results<Ok<Alias>, ProblemHttpResult>> HandleAsync(
        [Description("As calls write it, for instance `gpt-4o`.")] string name, Request request, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (AliasRules.Check(name, request.Target).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        var (organisation, alias) = (caller.OrganisationId(), new Alias(name, request.Target!, caller.Subject(), time.GetUtcNow()));
        var written = await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO aliases (organisation_id, name, target, changed_by, changed_at)
             SELECT {organisation}, {name}, {alias.Target}, {alias.ChangedBy}, {alias.ChangedAt}
             WHERE (SELECT count(*) FROM aliases WHERE organisation_id = {organisation} AND name <> {name}) < {AliasRules.MaxAliases}
             ON CONFLICT (organisation_id, name) DO UPDATE SET target = excluded.target, changed_by = excluded.changed_by, changed_at = excluded.changed_at
             """,
            cancellationToken);
        return written == 1 ? TypedResults.Ok(alias) : Problems.Conflict("too_many_aliases", $"An organisation may use {AliasRules.MaxAliases} names for aliases, those it took back among them: define one of these anew.");
    }
}
