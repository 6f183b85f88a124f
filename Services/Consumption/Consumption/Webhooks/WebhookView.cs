using System.Text.Json.Serialization;

namespace LlmMarketplace.Consumption.Webhooks;

/// <summary>A webhook as its organisation sees it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="Secret">What deliveries are signed with: only in the answers to its creation and to a rotation, and nowhere else ever again.</param>
/// <param name="Url">Where events are sent.</param>
/// <param name="Events">Their types.</param>
/// <param name="Description">For people.</param>
/// <param name="Enabled">Whether anything is sent there.</param>
/// <param name="DisabledBecause">Why we disabled it: <c>gone</c>, its receiver said 410; <c>failing</c>, for days every attempt failed; null: we did not.</param>
/// <param name="FailingSince">Since when every attempt has failed, or null.</param>
/// <param name="PreviousSecretUntil">Until when the secret before the last rotation signs too, or null.</param>
/// <param name="CreatedBy">Subject who created it.</param>
/// <param name="CreatedAt">When.</param>
internal sealed record WebhookView(
    Guid Id,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Secret,
    string Url,
    IReadOnlyList<string> Events,
    string? Description,
    bool Enabled,
    DisabledBecause? DisabledBecause,
    DateTimeOffset? FailingSince,
    DateTimeOffset? PreviousSecretUntil,
    string CreatedBy,
    DateTimeOffset CreatedAt)
{
    public static WebhookView Of(WebhookRow row, DateTimeOffset now, string? secret = null) => new(
        row.Id, secret, row.Url, row.Events, row.Description, row.Enabled, row.DisabledBecause, row.FailingSince, row.PreviousUntil > now ? row.PreviousUntil : null, row.CreatedBy, row.CreatedAt);
}
