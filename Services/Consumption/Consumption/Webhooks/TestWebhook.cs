using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>
/// <c>POST /api/v1/webhooks/{id}/test</c>: sends an event of type <c>marketplace.webhook.test.v1</c> now, once, and tells what came of it. It is signed as all are; it is not kept, and changes nothing of the webhook,
/// which may be disabled.
/// </summary>
internal static class TestWebhook
{
    /// <summary>The test's data.</summary>
    /// <param name="WebhookId">The webhook that is tested.</param>
    /// <param name="RequestedBy">Subject who tests it.</param>
    internal sealed record Data(Guid WebhookId, string RequestedBy);

    /// <param name="EventId">Its <c>webhook-id</c>.</param>
    /// <param name="Delivered">Whether the receiver said 2xx.</param>
    /// <param name="Status">HTTP status, or null when there was none.</param>
    /// <param name="Error">Why there was none, or null.</param>
    /// <param name="DurationMs">How long it took.</param>
    internal sealed record Response(Guid EventId, bool Delivered, int? Status, string? Error, long DurationMs);

    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapPost("/{id:guid}/test", HandleAsync).WithName("TestWebhook").WithSummary("Send a test event now, and learn what came of it");

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> HandleAsync(
        [Description(GetWebhook.IdIs)] Guid id, ClaimsPrincipal caller, ConsumptionDb db, SendWebhook send, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return GetWebhook.NotFound();
        }

        var message = EventMessage.Of(ConsumptionEvents.Producer, WebhookEvents.Test, caller.OrganisationId(), time.GetUtcNow(), new Data(id, caller.Subject()));
        var began = time.GetTimestamp();
        var result = await send.RunAsync(WebhookTarget.Of(row), message.Id, message.ToJson(), cancellationToken);
        return TypedResults.Ok(new Response(message.Id, result.IsDelivered, result.Status, result.Error, (long)time.GetElapsedTime(began).TotalMilliseconds));
    }
}
