using System.ComponentModel;
using System.Security.Claims;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.ProviderNetwork;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>
/// <c>PATCH /api/v1/webhooks/{id}</c>, as a merge patch (RFC 7396): what is not there stays. While a webhook is disabled nothing is sent and nothing new is kept for it; what waited before goes on when it is enabled again.
/// </summary>
internal static class ChangeWebhook
{
    public static void Map(IEndpointRouteBuilder webhooks) =>
        webhooks.MapPatch("/{id:guid}", HandleAsync).WithName("ChangeWebhook").Accepts<CreateWebhook.Request>("application/json").WithSummary("Change a webhook's address, events or description; disable or enable it");

    private static async Task<Results<Ok<WebhookView>, ProblemHttpResult>> HandleAsync(
        [Description(GetWebhook.IdIs)] Guid id, JsonElement patch, ClaimsPrincipal caller, ConsumptionDb db, EndpointGuard guard, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetWebhook.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return GetWebhook.NotFound();
        }

        var issues = await MergePatch.ApplyAsync(patch, member => ApplyAsync(row, member, caller, guard, cancellationToken));
        if (issues.Count > 0)
        {
            return Problems.Invalid([.. issues]);
        }

        return await GetWebhook.IsSavedAsync(db, cancellationToken) ? TypedResults.Ok(WebhookView.Of(row, time.GetUtcNow())) : GetWebhook.NotFound();
    }

    private static async Task<IReadOnlyList<Issue>> ApplyAsync(WebhookRow row, JsonProperty member, ClaimsPrincipal caller, EndpointGuard guard, CancellationToken cancellationToken)
    {
        switch (member.Name)
        {
            case "url":
                (row.Url, row.OrganisationSlug) = (MergePatch.Read<string>(member) ?? "", caller.OrganisationSlug());
                return await WebhookRules.UrlAsync(row.Url, caller, guard, cancellationToken);
            case "events":
                row.Events = MergePatch.Read<string[]>(member) ?? [];
                return [.. WebhookRules.Events(row.Events, caller)];
            case "description":
                row.Description = MergePatch.Read<string>(member);
                return [.. WebhookRules.Description(row.Description)];
            case "enabled":
                row.Enabled = MergePatch.Read<bool>(member);
                (row.DisabledBecause, row.FailingSince) = (null, row.Enabled ? null : row.FailingSince);
                return [];
            default:
                return [new Issue("unknown_field", "/" + member.Name, $"`{member.Name}` cannot be changed: url, events, description and enabled can.")];
        }
    }
}
