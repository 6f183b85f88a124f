using System.ComponentModel.DataAnnotations;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.ProviderNetwork;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>POST /api/v1/webhooks</c>: an address that events of the caller's organisation are sent to. The answer holds the secret, this once.</summary>
internal static class CreateWebhook
{
    private const long LockSpace = 0x4C4C_4D57_484B;

    /// <param name="Url">Where events are sent: https, at a public address.</param>
    /// <param name="Events">Their types.</param>
    /// <param name="Description">For people.</param>
    /// <param name="Enabled">Whether anything is sent there; yes unless said.</param>
    internal sealed record Request([property: Required] string? Url, [property: Required] string[]? Events, string? Description, bool? Enabled);

    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapPost("/", HandleAsync).WithName("CreateWebhook").WithSummary("Have events sent to an address; its secret is shown this once");

    private static async Task<Results<Created<WebhookView>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, ConsumptionDb db, EndpointGuard guard, WebhookSecrets secrets, TimeProvider time, HttpContext http, CancellationToken cancellationToken)
    {
        Issue[] issues =
        [
            .. await WebhookRules.UrlAsync(request.Url, caller, guard, cancellationToken), .. WebhookRules.Events(request.Events, caller), .. WebhookRules.Description(request.Description),
        ];
        if (issues.Length > 0)
        {
            return Problems.Invalid(issues);
        }

        var (organisation, now) = (caller.OrganisationId(), time.GetUtcNow());
        var id = Guid.CreateVersion7(now);
        var (secret, kept) = secrets.Create(id);
        var row = new WebhookRow
        {
            Id = id,
            OrganisationId = organisation,
            OrganisationSlug = caller.OrganisationSlug(),
            Url = request.Url!,
            Events = request.Events!,
            Description = request.Description,
            Enabled = request.Enabled ?? true,
            Secret = kept,
            CreatedBy = caller.Subject(),
            CreatedAt = now,
        };
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({organisation.ToString()}, {LockSpace}))", cancellationToken); // They are counted one by one.
        if (await db.Set<WebhookRow>().CountAsync(webhook => webhook.OrganisationId == organisation, cancellationToken) >= WebhookRules.MaxWebhooks)
        {
            return Problems.Conflict("too_many_webhooks", $"An organisation may have {WebhookRules.MaxWebhooks} webhooks: delete one, or change it.");
        }

        db.Add(row);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        http.Response.Headers.CacheControl = "no-store";
        return TypedResults.Created($"/api/v1/webhooks/{id}", WebhookView.Of(row, now, secret));
    }
}
