using System.ComponentModel;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>DELETE /api/v1/webhooks/{id}</c>: ends a webhook, with its deliveries.</summary>
internal static class DeleteWebhook
{
    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapDelete("/{id:guid}", HandleAsync).WithName("DeleteWebhook").WithSummary("Delete a webhook and its deliveries");

    private static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync([Description(GetWebhook.IdIs)] Guid id, ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken)
    {
        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is null)
        {
            return GetWebhook.NotFound();
        }

        await db.Set<WebhookRow>().Where(webhook => webhook.Id == id).ExecuteDeleteAsync(cancellationToken);
        return TypedResults.NoContent();
    }
}
