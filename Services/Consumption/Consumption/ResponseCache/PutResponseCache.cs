using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary><c>PUT /api/v1/response-cache</c>: switches the cache on for the caller's organisation, or changes it. Holds in every instance within a second, for answers that come from then on.</summary>
internal static class PutResponseCache
{
    /// <param name="TimeToLiveSeconds">How long an answer is kept, in seconds: 1 to 604800; an hour when it is not said.</param>
    /// <param name="Services">Of which services answers are kept, as <c>provider/service</c>; of all when none is named.</param>
    internal sealed record Request(int? TimeToLiveSeconds, IReadOnlyList<string>? Services);

    public static void Map(IEndpointRouteBuilder cache) => cache.MapPut("/", HandleAsync).WithName("PutResponseCache").WithSummary("Cache the organisation's answers");

    private static async Task<Results<Ok<CacheSetting>, ProblemHttpResult>> HandleAsync(
        Request request, ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var setting = new CacheSetting(request.TimeToLiveSeconds ?? CacheRules.DefaultSeconds, request.Services ?? [], caller.Subject(), time.GetUtcNow());
        if (CacheRules.Check(setting.TimeToLiveSeconds, setting.Services).ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        await db.Database.ExecuteSqlAsync(
            $"""
             INSERT INTO response_cache_settings (organisation_id, time_to_live_seconds, services, changed_by, changed_at)
             VALUES ({caller.OrganisationId()}, {setting.TimeToLiveSeconds}, {setting.Services.ToArray()}, {setting.ChangedBy}, {setting.ChangedAt})
             ON CONFLICT (organisation_id) DO UPDATE SET time_to_live_seconds = excluded.time_to_live_seconds, services = excluded.services, changed_by = excluded.changed_by, changed_at = excluded.changed_at
             """,
            cancellationToken);
        return TypedResults.Ok(setting);
    }
}
