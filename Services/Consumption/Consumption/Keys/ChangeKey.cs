using System.Security.Claims;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Budgets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Consumption.Keys;

/// <summary><c>PATCH /api/v1/keys/{id}</c>, as a merge patch (RFC 7396): what is not there stays, null takes away.</summary>
internal static class ChangeKey
{
    public static void Map(IEndpointRouteBuilder keys) => keys.MapPatch("/{id:guid}", HandleAsync).WithName("ChangeKey").Accepts<CreateKey.Request>("application/json").WithSummary("Change an API key's name, labels, expiry, scopes, limits or budgets");

    private static async Task<Results<Ok<KeyView>, ProblemHttpResult>> HandleAsync(
        Guid id, JsonElement patch, ClaimsPrincipal caller, ConsumptionDb db, KeyChanges changes, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null)
        {
            return KeyRules.Revoked();
        }

        var now = time.GetUtcNow();
        var issues = await MergePatch.ApplyAsync(patch, member => Task.FromResult<IReadOnlyList<Issue>>(Apply(row, member, now)));
        if (issues.Count > 0)
        {
            return Problems.Invalid([.. issues]);
        }

        return await changes.SaveAsync(db, row, cancellationToken) is { } conflict ? conflict : TypedResults.Ok(KeyView.Of(row, now));
    }

    private static List<Issue> Apply(KeyRow row, JsonProperty member, DateTimeOffset now)
    {
        switch (member.Name)
        {
            case "name":
                row.Name = MergePatch.Read<string>(member) ?? "";
                return [.. KeyRules.Name(row.Name)];
            case "labels":
                row.Labels = Merge(row.Labels, MergePatch.Read<Dictionary<string, string?>>(member));
                return [.. KeyRules.Labels(row.Labels)];
            case "limits":
                row.Limits = Merge(row.Limits, member.Value);
                return [.. row.Limits.Check()];
            case "expiresAt":
                row.ExpiresAt = (MergePatch.Read<DateTimeOffset?>(member) ?? row.CreatedAt + KeyRules.DefaultLifetime).ToUniversalTime();
                return [.. KeyRules.Expiry(row.ExpiresAt, now)];
            case "scopes":
                var scopes = MergePatch.Read<KeyScopes>(member) ?? KeyScopes.All;
                (row.Services, row.Categories) = ([.. scopes.Services ?? []], [.. scopes.Categories ?? []]);
                return [.. KeyRules.Scopes(scopes)];
            case "budget":
                row.Budget = MergePatch.Read<Budget>(member);
                return [.. BudgetRules.Check(row.Budget, "/budget")];
            case "endUserBudget":
                row.EndUserBudget = MergePatch.Read<Budget>(member);
                return [.. BudgetRules.Check(row.EndUserBudget, "/endUserBudget")];
            default:
                return [new Issue("unknown_field", "/" + member.Name, $"`{member.Name}` cannot be changed: name, labels, expiresAt, scopes, limits, budget and endUserBudget can.")];
        }
    }

    private static Dictionary<string, string> Merge(Dictionary<string, string> labels, Dictionary<string, string?>? patch) => patch is null ? [] : labels
        .Where(label => !patch.ContainsKey(label.Key))
        .Concat(patch.Where(label => label.Value is not null).Select(label => KeyValuePair.Create(label.Key, label.Value!)))
        .ToDictionary(StringComparer.Ordinal);

    private static KeyLimits Merge(KeyLimits limits, JsonElement patch)
    {
        if (patch.ValueKind == JsonValueKind.Null)
        {
            return KeyLimits.None;
        }

        var given = patch.Deserialize<KeyLimits>(Json.StrictOptions)!;
        return new KeyLimits(
            patch.TryGetProperty("requestsPerMinute", out _) ? given.RequestsPerMinute : limits.RequestsPerMinute,
            patch.TryGetProperty("tokensPerMinute", out _) ? given.TokensPerMinute : limits.TokensPerMinute,
            patch.TryGetProperty("concurrentCalls", out _) ? given.ConcurrentCalls : limits.ConcurrentCalls);
    }
}
