using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Aliases;

/// <summary><c>DELETE /api/v1/aliases/{name}</c>: the name stands for nothing any more. Repeating it changes nothing.</summary>
internal static class DeleteAlias
{
    public static void Map(IEndpointRouteBuilder aliases) => aliases.MapDelete("/{name}", HandleAsync).WithName("DeleteAlias").WithSummary("Take an alias back");

    private static async Task<NoContent> HandleAsync([Description("As calls write it, for instance `gpt-4o`.")] string name, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var (organisation, subject, now) = (caller.OrganisationId(), caller.Subject(), time.GetUtcNow());
        await db.Set<AliasRow>()
            .Where(alias => alias.OrganisationId == organisation && alias.Name == name && alias.Target != null)
            .ExecuteUpdateAsync(alias => alias.SetProperty(a => a.Target, (string?)null).SetProperty(a => a.ChangedBy, subject).SetProperty(a => a.ChangedAt, now), cancellationToken);
        return TypedResults.NoContent();
    }
}
