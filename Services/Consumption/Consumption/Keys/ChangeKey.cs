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
    public static void Map(IEndpointRouteBuilder keys) => keys.MapPatch("/{id:guid}", HandleAsync).WithName("ChangeKey").Accepts<CreateKey.Request>("application/json").WithSummary("Change an API key's name, label, expiry, scopes or budget");

    private static async Task<Results<Ok<KeyView>, ProblemHttpResult>> HandleAsync(
        Guid id, JsonElement patch, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (await GetKey.FindAsync(db, id, caller, cancellationToken) is not { } row)
        {
            return Problems.NotFound("The key");
        }

        if (row.RevokedAt is not null)
        {
            return Problems.Conflict("key_revoked", "The key is revoked, for good: create a new one.");
        }

        var now = time.GetUtcNow();
        List<Issue> issues = [];
        if (patch.ValueKind != JsonValueKind.Object)
        {
            return Problems.Invalid(new Issue("invalid_patch", "", "The patch must be a JSON object."));
        }

        foreach (var member in patch.EnumerateObject())
        {
            try
            {
                issues.AddRange(Apply(row, member, now));
            }
            catch (JsonException wrong)
            {
                issues.Add(new Issue("invalid_patch", "/" + member.Name, wrong.Message));
            }
        }

        if (issues.Count > 0)
        {
            return Problems.Invalid([.. issues]);
        }

        await db.SaveChangesAsync(cancellationToken);
        return TypedResults.Ok(KeyView.Of(row, now));
    }

    private static List<Issue> Apply(KeyRow row, JsonProperty member, DateTimeOffset now)
    {
        switch (member.Name)
        {
            case "name":
                row.Name = Read<string>(member) ?? "";
                return [.. KeyRules.Name(row.Name)];
            case "label":
                row.Label = Read<string>(member);
                return [.. KeyRules.Label(row.Label)];
            case "expiresAt":
                row.ExpiresAt = (Read<DateTimeOffset?>(member) ?? row.CreatedAt + KeyRules.DefaultLifetime).ToUniversalTime();
                return [.. KeyRules.Expiry(row.ExpiresAt, now)];
            case "scopes":
                var scopes = Read<KeyScopes>(member) ?? KeyScopes.All;
                (row.Services, row.Categories) = ([.. scopes.Services ?? []], [.. scopes.Categories ?? []]);
                return [.. KeyRules.Scopes(scopes)];
            case "budget":
                row.Budget = Read<Budget>(member);
                return [.. BudgetRules.Check(row.Budget, "/budget")];
            default:
                return [new Issue("unknown_field", "/" + member.Name, $"`{member.Name}` cannot be changed: name, label, expiresAt, scopes and budget can.")];
        }
    }

    private static T? Read<T>(JsonProperty member) => member.Value.Deserialize<T>(Json.Options);
}
