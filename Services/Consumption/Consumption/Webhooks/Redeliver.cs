using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/redeliver</c>: sends an event once more, as if it were new, under the same <c>webhook-id</c>; one that waits is tried now.</summary>
internal static class Redeliver
{
    public static void Map(IEndpointRouteBuilder webhooks) =>
        webhooks.MapPost("/{id:guid}/deliveries/{deliveryId:guid}/redeliver", HandleAsync).WithName("RedeliverWebhook").WithSummary("Send an event once more");

    private static async Task<Results<Ok<ListDeliveries.Item>, ProblemHttpResult>> HandleAsync(
        [Description(GetWebhook.IdIs)] Guid id, [Description("The delivery's id: its `webhook-id`.")] Guid deliveryId, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is not { } webhook)
        {
            return GetWebhook.NotFound();
        }

        if (await db.Set<DeliveryRow>().SingleOrDefaultAsync(delivery => delivery.WebhookId == id && delivery.EventId == deliveryId, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The delivery");
        }

        if (!webhook.Enabled)
        {
            return Problems.Conflict("webhook_disabled", "The webhook is disabled: enable it first.");
        }

        (row.State, row.Attempts, row.LastStatus, row.LastError, row.DueAt, row.FinishedAt) = (DeliveryState.Waiting, 0, null, null, time.GetUtcNow(), null);
        return await GetWebhook.IsSavedAsync(db, cancellationToken) ? TypedResults.Ok(ListDeliveries.Item.Of(row, webhook.Enabled)) : GetWebhook.NotFound();
    }
}
