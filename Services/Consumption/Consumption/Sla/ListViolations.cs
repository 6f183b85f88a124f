using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Sla;

/// <summary><c>GET /api/v1/sla/violations</c>: the promises that were not kept, newest first; a provider sees those of its own listings, administrators and auditors all.</summary>
internal static class ListViolations
{
    /// <summary>A violation; the members are those of the event <c>marketplace.sla.violation_changed.v1</c>.</summary>
    internal sealed record Item(
        Guid ViolationId, Guid ListingId, Guid VersionId, Guid ProviderOrganisationId, string Model, SlaMetric Metric, SlaSeverity Severity, decimal Promised, decimal Observed, long Calls, long Failures,
        DateTimeOffset StartedAt, DateTimeOffset? EndedAt, int Revision);

    private sealed record Position(DateTimeOffset StartedAt, Guid Id);

    public static void Map(IEndpointRouteBuilder sla) => sla.MapGet("/violations", HandleAsync).WithName("ListSlaViolations").WithSummary("List the promises of providers that were not kept, newest first");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller,
        ConsumptionDb db,
        CancellationToken cancellationToken,
        [Description("Of one listing.")] Guid? listingId = null,
        [Description("`true`: those that go on; `false`: those that have ended.")] bool? open = null,
        int? limit = null,
        string? cursor = null)
    {
        var violations = db.Set<SlaViolation>().AsNoTracking();
        if (!caller.SeesAll())
        {
            var organisation = caller.OrganisationId();
            violations = violations.Where(violation => violation.ProviderOrganisationId == organisation);
        }

        if (listingId is { } listing)
        {
            violations = violations.Where(violation => violation.ListingId == listing);
        }

        if (open is { } isOpen)
        {
            violations = violations.Where(violation => violation.EndedAt == null == isOpen);
        }

        if (cursor is not null)
        {
            if (!Paging.TryDecode<Position>(cursor, out var after))
            {
                return Problems.Of(StatusCodes.Status400BadRequest, "invalid_cursor", "The cursor is not one of ours: take it from `nextCursor`.");
            }

            violations = violations.Where(violation => EF.Functions.LessThan(ValueTuple.Create(violation.StartedAt, violation.Id), ValueTuple.Create(after.StartedAt, after.Id)));
        }

        var size = Paging.Limit(limit);
        var rows = await violations.OrderByDescending(violation => violation.StartedAt).ThenByDescending(violation => violation.Id).Take(size + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>([.. rows.Take(size).Select(Of)], rows.Count > size ? Paging.Encode(new Position(rows[size - 1].StartedAt, rows[size - 1].Id)) : null));
    }

    private static Item Of(SlaViolation v) => new(
        v.Id, v.ListingId, v.VersionId, v.ProviderOrganisationId, $"{v.Service}@{v.Version}", v.Metric, v.Severity, v.Promised, v.Observed, v.Calls, v.Failures, v.StartedAt, v.EndedAt, v.Revision);
}
