using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary><c>GET /api/v1/call-logs</c>: the organisation's logged calls, newest first, without what was asked and answered.</summary>
internal static class ListCallLogs
{
    /// <param name="CallId">Its <c>x-request-id</c>.</param>
    /// <param name="KeyId">The API key.</param>
    /// <param name="Service"><c>provider/service</c>.</param>
    /// <param name="Operation">As its usage record names it.</param>
    /// <param name="Outcome">As its usage record names it.</param>
    /// <param name="StatusCode">HTTP status; 0 when nobody was left to get it.</param>
    /// <param name="EndUser">For whom it was made, if that was said.</param>
    /// <param name="AdmittedAt">When it began.</param>
    /// <param name="ExpiresAt">When it is removed from the log.</param>
    internal sealed record Item(Guid CallId, Guid KeyId, string Service, string Operation, string Outcome, int StatusCode, string? EndUser, DateTimeOffset AdmittedAt, DateTimeOffset ExpiresAt);

    private sealed record Position(DateTimeOffset AdmittedAt, Guid CallId);

    public static void Map(IEndpointRouteBuilder logs) => logs.MapGet("/", HandleAsync).WithName("ListCallLogs").WithSummary("The logged calls, newest first");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller, ConsumptionDb db, TimeProvider time, CancellationToken cancellationToken,
        [Description("Calls that began at or after this moment.")] DateTimeOffset? from = null, [Description("And before this one.")] DateTimeOffset? to = null,
        [Description("Calls made with this key.")] Guid? key = null, [Description("Calls of this service: `provider/service`.")] string? service = null, int? limit = null, string? cursor = null)
    {
        Position? after = null;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        if (from >= to)
        {
            return Problems.Invalid(new Issue("invalid_range", "", "`from` must lie before `to`."));
        }

        var (organisation, now, begin, end) = (caller.OrganisationId(), time.GetUtcNow(), from?.ToUniversalTime(), to?.ToUniversalTime());
        var logs = db.Set<CallLogRow>().AsNoTracking().Where(log => log.OrganisationId == organisation && log.ExpiresAt > now
            && (begin == null || log.AdmittedAt >= begin) && (end == null || log.AdmittedAt < end) && (key == null || log.KeyId == key) && (service == null || log.Service == service));
        if (after is not null)
        {
            logs = logs.Where(log => EF.Functions.LessThan(ValueTuple.Create(log.AdmittedAt, log.CallId), ValueTuple.Create(after.AdmittedAt, after.CallId)));
        }

        var size = Paging.Limit(limit);
        var rows = await logs.OrderByDescending(log => log.AdmittedAt).ThenByDescending(log => log.CallId).Take(size + 1)
            .Select(log => new Item(log.CallId, log.KeyId, log.Service, log.Operation, log.Outcome, log.StatusCode, log.EndUser, log.AdmittedAt, log.ExpiresAt)).ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>([.. rows.Take(size)], rows.Count > size ? Paging.Encode(new Position(rows[size - 1].AdmittedAt, rows[size - 1].CallId)) : null));
    }
}
