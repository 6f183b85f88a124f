using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Keys;

/// <summary>A key as its organisation sees it.</summary>
/// <param name="Id">UUID v7.</param>
/// <param name="Key">The key itself: only in the answer to its creation, and nowhere else ever again.</param>
/// <param name="Prefix">How it begins: enough to recognise it by.</param>
/// <param name="Name">Name for people.</param>
/// <param name="Labels">Names and values by which the organisation groups its keys.</param>
/// <param name="Status"><c>active</c>, <c>suspended</c>, <c>expired</c> or <c>revoked</c>.</param>
/// <param name="Scopes">What it may call; empty lists: everything that its organisation may.</param>
/// <param name="Limits">Limits of its own; null where it has none.</param>
/// <param name="Budget">The most that may be spent with it, or null.</param>
/// <param name="EndUserBudget">What each end user may spend who calls by it and has no budget of its own, or null.</param>
/// <param name="CreatedBy">Subject who created it.</param>
/// <param name="CreatedAt">When.</param>
/// <param name="ExpiresAt">When it ends.</param>
/// <param name="PreviousSecretUntil">Until when the secret before the last rotation is valid too, or null.</param>
/// <param name="SuspendedAt">Since when it is suspended, or null.</param>
/// <param name="RevokedAt">When it was revoked, or null.</param>
internal sealed record KeyView(
    Guid Id,
    [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] string? Key,
    string Prefix,
    string Name,
    IReadOnlyDictionary<string, string> Labels,
    string Status,
    KeyScopes Scopes,
    KeyLimits Limits,
    Budget? Budget,
    Budget? EndUserBudget,
    string CreatedBy,
    DateTimeOffset CreatedAt,
    DateTimeOffset? ExpiresAt,
    DateTimeOffset? PreviousSecretUntil,
    DateTimeOffset? SuspendedAt,
    DateTimeOffset? RevokedAt)
{
    public static KeyView Of(KeyRow row, DateTimeOffset now, string? key = null) => new(
        row.Id,
        key,
        ApiKey.Prefix + row.Identifier,
        row.Name,
        row.Labels,
        row.RevokedAt is not null ? "revoked" : row.ExpiresAt <= now ? "expired" : row.SuspendedAt is not null ? "suspended" : "active",
        new KeyScopes(row.Services, row.Categories),
        row.Limits,
        row.Budget,
        row.EndUserBudget,
        row.CreatedBy,
        row.CreatedAt,
        row.ExpiresAt,
        row.PreviousUntil > now ? row.PreviousUntil : null,
        row.SuspendedAt,
        row.RevokedAt);
}

/// <summary>What a key may be made of.</summary>
internal static class KeyRules
{
    public const int MaxNameLength = 100;
    public const int MaxScopes = 100;
    public const int MaxLabels = 20;
    public static readonly TimeSpan DefaultLifetime = TimeSpan.FromDays(365);

    public static IEnumerable<Issue> Name(string? name)
    {
        if (string.IsNullOrWhiteSpace(name) || name.Length > MaxNameLength)
        {
            yield return new Issue("invalid_name", "/name", $"The name must have 1 to {MaxNameLength} characters.");
        }
    }

    public static IEnumerable<Issue> Labels(IReadOnlyDictionary<string, string>? labels)
    {
        if (labels?.Count > MaxLabels || labels?.Any(label => label.Key.Length is 0 or > MaxNameLength || label.Value is null or { Length: > MaxNameLength }) == true)
        {
            yield return new Issue("invalid_labels", "/labels", $"There may be {MaxLabels} labels, each with a name and a text of at most {MaxNameLength} characters.");
        }
    }

    public static Microsoft.AspNetCore.Http.HttpResults.ProblemHttpResult Revoked() => Problems.Conflict("key_revoked", "The key is revoked, for good: create a new one.");

    public static IEnumerable<Issue> Expiry(DateTimeOffset? expiresAt, DateTimeOffset now)
    {
        if (expiresAt <= now)
        {
            yield return new Issue("invalid_expiry", "/expiresAt", "The key must expire in the future.");
        }
    }

    public static IEnumerable<Issue> Scopes(KeyScopes? scopes)
    {
        if (scopes is null)
        {
            yield break;
        }

        if ((scopes.Services is null && scopes.Categories is null) || (scopes.Services?.Count ?? 0) + (scopes.Categories?.Count ?? 0) > MaxScopes)
        {
            yield return new Issue("invalid_scopes", "/scopes", $"The scopes need a list `services`, or `categories`, or both, with at most {MaxScopes} entries together.");
            yield break;
        }

        foreach (var service in (scopes.Services ?? []).Where(service => !Catalogue.ModelName.TryParse(service, out var name) || name.Version is not null))
        {
            yield return new Issue("invalid_scopes", "/scopes/services", $"'{service}' is not the name of a service: write `provider/service`.");
        }

        foreach (var category in (scopes.Categories ?? []).Except(ServiceCategories.All))
        {
            yield return new Issue("invalid_scopes", "/scopes/categories", $"'{category}' is not a category: {string.Join(", ", ServiceCategories.All)}.");
        }
    }
}
