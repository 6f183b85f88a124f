using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>GET /api/v1/webhooks/{id}</c>.</summary>
internal static class GetWebhook
{
    public const string IdIs = "The webhook's id.";

    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapGet("/{id:guid}", HandleAsync).WithName("GetWebhook").WithSummary("Read a webhook's settings");

    private static async Task<Results<Ok<WebhookView>, ProblemHttpResult>> HandleAsync([Description(IdIs)] Guid id, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken) =>
        await FindAsync(db, id, caller, cancellationToken) is { } row ? TypedResults.Ok(WebhookView.Of(row, time.GetUtcNow())) : NotFound();

    /// <summary>The webhook, if it is the caller's organisation's and its events are open to the caller: whoever turns it elsewhere would read them.</summary>
    internal static async Task<WebhookRow?> FindAsync(ConsumptionDb db, Guid id, ClaimsPrincipal caller, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        var row = await db.Set<WebhookRow>().SingleOrDefaultAsync(webhook => webhook.Id == id && webhook.OrganisationId == organisation, cancellationToken);
        return row is not null && IsOpenTo(caller, row) ? row : null;
    }

    /// <summary>Saves what was changed of a webhook or its deliveries; false when somebody has deleted it meanwhile.</summary>
    internal static async Task<bool> IsSavedAsync(ConsumptionDb db, CancellationToken cancellationToken)
    {
        try
        {
            await db.SaveChangesAsync(cancellationToken);
            return true;
        }
        catch (DbUpdateConcurrencyException)
        {
            return false;
        }
    }

    internal static bool IsOpenTo(ClaimsPrincipal caller, WebhookRow row) => !row.Events.Except(WebhookEvents.OpenTo(caller)).Any();

    internal static ProblemHttpResult NotFound() => Problems.NotFound("The webhook");
}
