using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Discovery.Search;

/// <summary><c>GET /api/v1/services/autocomplete?q=</c>: completes what somebody types, forgiving errors.</summary>
internal static class Autocomplete
{
    internal sealed record Response(IReadOnlyList<Suggestion> Items);

    public static async Task<Results<Ok<Response>, ProblemHttpResult>> Handle(
        [Description("What was typed so far, at most 100 characters.")] string? q, [Description("Suggestions, 1 to 50; 10 unless given.")] int? limit, ClaimsPrincipal caller, Viewers viewers, IListingIndex index, CancellationToken cancellationToken)
    {
        var typed = q?.Trim().Replace('\0', ' ') ?? "";
        return typed.Length switch
        {
            0 => TypedResults.Ok(new Response([])),
            > 100 => Problems.Invalid(new Issue("invalid_filter", "/q", "q is longer than 100 characters.")),
            _ => TypedResults.Ok(new Response(await index.CompleteAsync(viewers.Of(caller), typed, Math.Clamp(limit ?? 10, 1, 50), cancellationToken))),
        };
    }
}
