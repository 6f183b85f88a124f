using System.Security.Claims;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>
/// <c>DELETE /api/v1/response-cache</c>: switches the cache off and erases what it keeps; answers that are written later are not kept either. <c>DELETE /api/v1/response-cache/answers</c> erases,
/// and leaves it on. Repeating them changes nothing.
/// </summary>
internal static class DeleteResponseCache
{
    public static void Map(IEndpointRouteBuilder cache)
    {
        cache.MapDelete("/", SwitchOffAsync).WithName("DeleteResponseCache").WithSummary("Cache no more, and erase what is cached");
        cache.MapDelete("/answers", EraseAsync).WithName("EraseCachedAnswers").WithSummary("Erase what is cached");
    }

    // The first statement waits for answers that are just being written, the second one sees them; those that are written later are refused by the first (KeepCached).
    private static async Task<NoContent> SwitchOffAsync(ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        await db.Database.ExecuteSqlAsync(
            $"""
             UPDATE response_cache_settings SET time_to_live_seconds = NULL, erased_at = clock_timestamp(), changed_by = {caller.Subject()}, changed_at = {time.GetUtcNow()}
             WHERE organisation_id = {organisation} AND time_to_live_seconds IS NOT NULL;
             DELETE FROM cached_answers WHERE organisation_id = {organisation}
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }

    private static async Task<NoContent> EraseAsync(ClaimsPrincipal caller, ConsumptionDb db, CancellationToken cancellationToken)
    {
        var organisation = caller.OrganisationId();
        await db.Database.ExecuteSqlAsync(
            $"""
             UPDATE response_cache_settings SET erased_at = clock_timestamp() WHERE organisation_id = {organisation};
             DELETE FROM cached_answers WHERE organisation_id = {organisation}
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }
}
