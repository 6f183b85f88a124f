using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>GET /api/v1/webhooks</c>: the webhooks of the caller's organisation whose events are open to the caller, newest first.</summary>
internal static class ListWebhooks
{
    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapGet("/", HandleAsync).WithName("ListWebhooks").WithSummary("List the organisation's webhooks, newest first");

    private static async Task<Results<Ok<Page<WebhookView>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        var before = Guid.AllBitsSet;
        if (Paging.Resume(cursor, ref before) is { } invalid)
        {
            return invalid;
        }

        var (organisation, size, now) = (caller.OrganisationId(), Paging.Limit(limit), time.GetUtcNow());
        var all = await db.Set<WebhookRow>().AsNoTracking() // They are few.
            .Where(webhook => webhook.OrganisationId == organisation && webhook.Id < before)
            .OrderByDescending(webhook => webhook.Id)
            .ToListAsync(cancellationToken);
        var rows = all.Where(row => GetWebhook.IsOpenTo(caller, row)).Take(size + 1).ToList();
        return TypedResults.Ok(new Page<WebhookView>([.. rows.Take(size).Select(row => WebhookView.Of(row, now))], rows.Count > size ? Paging.Encode(rows[size - 1].Id) : null));
    }
}
