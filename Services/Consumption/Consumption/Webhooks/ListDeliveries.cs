using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary><c>GET /api/v1/webhooks/{id}/deliveries</c>: what is and was sent to a webhook, newest first, without what it says.</summary>
internal static class ListDeliveries
{
    /// <param name="Id">The event's id: the <c>webhook-id</c> that its receiver sees.</param>
    /// <param name="Type">The event's type.</param>
    /// <param name="State"><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</param>
    /// <param name="Attempts">Attempts so far.</param>
    /// <param name="LastStatus">HTTP status of the last one, or null.</param>
    /// <param name="LastError">Why the last one brought no status, or null: <c>timeout</c>, <c>name_resolution</c>, <c>connect</c>, <c>tls</c>, <c>broken</c>, <c>forbidden</c>, <c>secret</c>.</param>
    /// <param name="NextAttemptAt">When it is tried next; null: it is not, or the webhook is disabled.</param>
    /// <param name="CreatedAt">When the event was told.</param>
    /// <param name="FinishedAt">When it was delivered or given up, or null.</param>
    internal sealed record Item(Guid Id, string Type, DeliveryState State, int Attempts, int? LastStatus, string? LastError, DateTimeOffset? NextAttemptAt, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt)
    {
        public static Item Of(DeliveryRow row, bool isEnabled) => new(
            row.EventId, row.EventType, row.State, row.Attempts, row.LastStatus, row.LastError, isEnabled && row.State == DeliveryState.Waiting ? row.DueAt : null, row.CreatedAt, row.FinishedAt);
    }

    private static readonly Dictionary<string, DeliveryState> States = Enum.GetValues<DeliveryState>().ToDictionary(state => state.ToString().ToLowerInvariant());

    public static void Map(IEndpointRouteBuilder webhooks) => webhooks.MapGet("/{id:guid}/deliveries", HandleAsync).WithName("ListWebhookDeliveries").WithSummary("List what is and was sent to a webhook, newest first");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(
        [Description(GetWebhook.IdIs)] Guid id, ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken,
        [Description("Those in this state: `waiting`, `delivered` or `failed`.")] string? state = null, int? limit = null, string? cursor = null)
    {
        var before = Guid.AllBitsSet;
        if (Paging.Resume(cursor, ref before) is { } invalid)
        {
            return invalid;
        }

        DeliveryState? only = null;
        if (state is not null)
        {
            if (!States.TryGetValue(state, out var named))
            {
                return Problems.Invalid(new Issue("invalid_state", "/state", $"The state must be one of {string.Join(", ", States.Keys)}."));
            }

            only = named;
        }

        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is not { } webhook)
        {
            return GetWebhook.NotFound();
        }

        var size = Paging.Limit(limit);
        var rows = await db.Set<DeliveryRow>().AsNoTracking()
            .Where(delivery => delivery.WebhookId == id && delivery.EventId < before && (only == null || delivery.State == only))
            .OrderByDescending(delivery => delivery.EventId)
            .Take(size + 1)
            .ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>([.. rows.Take(size).Select(row => Item.Of(row, webhook.Enabled))], rows.Count > size ? Paging.Encode(rows[size - 1].EventId) : null));
    }
}
