using System.ComponentModel;
using System.Security.Claims;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>POST /api/v1/webhooks/{id}/rotate</c>: a new secret, shown this once. The one before signs too for a day, so that the receiver can change over; rotating again ends the oldest.</summary>
internal static class RotateWebhook
{
    private static readonly TimeSpan Overlap = TimeSpan.FromDays(1);

    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapPost("/{id:guid}/rotate", HandleAsync).WithName("RotateWebhook").WithSummary("Give a webhook a new secret; it is shown this once, and both sign for a day");

    private static async Task<Results<Ok<WebhookView>, ProblemHttpResult>> HandleAsync(
        [Description(GetWebhook.IdIs)] Guid id, ClaimsPrincipal caller, ConsumptionDb db, WebhookSecrets secrets, TimeProvider time, HttpContext http, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlAsync($"SELECT FROM webhooks WHERE id = {id} FOR NO KEY UPDATE", cancellationToken); // Rotations at once come one after the other, else a secret that was told would sign nothing.
        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return GetWebhook.NotFound();
        }

        var now = time.GetUtcNow();
        (row.PreviousSecret, row.PreviousUntil) = (row.Secret, now + Overlap);
        (var secret, row.Secret) = secrets.Create(id);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(WebhookView.Of(row, now, secret));
    }
}
