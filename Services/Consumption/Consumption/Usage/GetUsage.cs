using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Metering;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Usage;

/// <summary><c>GET /api/v1/usage?from&amp;to&amp;groupBy=key|service|day</c>: what was used and what it cost, exactly.</summary>
internal static class GetUsage
{
    /// <param name="Key">The key's id, when grouped by key.</param>
    /// <param name="Service"><c>provider/service</c>, when grouped by service.</param>
    /// <param name="Day">The UTC day, when grouped by day.</param>
    /// <param name="Calls">Admitted calls.</param>
    /// <param name="Completed">Of these, with a whole answer.</param>
    /// <param name="InputTokens">Tokens in, cached ones included.</param>
    /// <param name="CachedInputTokens">Of these, cached.</param>
    /// <param name="OutputTokens">Tokens out.</param>
    /// <param name="Cost">Exact.</param>
    internal sealed record Item(Guid? Key, string? Service, DateOnly? Day, long Calls, long Completed, long InputTokens, long CachedInputTokens, long OutputTokens, decimal Cost);

    /// <param name="From">Calls admitted at or after this moment.</param>
    /// <param name="To">And before this one.</param>
    /// <param name="Currency">Of all costs.</param>
    /// <param name="Total">All together.</param>
    /// <param name="Items">By group, in the group's order.</param>
    internal sealed record Response(DateTimeOffset From, DateTimeOffset To, string Currency, Item Total, IReadOnlyList<Item> Items);

    public static void Map(IEndpointRouteBuilder usage) => usage.MapGet("/usage", HandleAsync).WithName("GetUsage").WithSummary("Usage and cost by key, service or day; with a token or an API key");

    private static async Task<Results<Ok<Response>, ProblemHttpResult>> HandleAsync(
        HttpContext http, ConsumptionDb db, ApiKeyHasher hasher, TimeProvider time, CancellationToken cancellationToken,
        [Description("Calls admitted at or after this moment; the beginning of the month, in UTC, unless given.")] DateTimeOffset? from = null,
        [Description("And before this one; now unless given.")] DateTimeOffset? to = null,
        [Description("key, service or day.")] string groupBy = "day")
    {
        var (scope, refusal) = await UsageCaller.FindAsync(http, db, hasher, time);
        if (refusal is not null)
        {
            return refusal;
        }

        var now = time.GetUtcNow();
        var begin = (from ?? new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero)).ToUniversalTime();
        var end = (to ?? now.AddMinutes(1)).ToUniversalTime(); // Redis's clock dates the calls; it may be a little ahead.
        var records = db.Set<UsageRecord>().Where(record =>
            record.OrganisationId == scope.Organisation && (scope.Key == null || record.KeyId == scope.Key) && record.AdmittedAt >= begin && record.AdmittedAt < end);
        List<Item>? items = groupBy switch
        {
            "key" => await Sum(records.GroupBy(record => new Group { Key = record.KeyId })).ToListAsync(cancellationToken),
            "service" => await Sum(records.GroupBy(record => new Group { Service = record.Service })).ToListAsync(cancellationToken),
            "day" => await Sum(records.GroupBy(record => new Group { Day = record.Day })).ToListAsync(cancellationToken),
            _ => null,
        };
        if (items is null)
        {
            return Problems.Invalid(new Issue("invalid_group", "", "`groupBy` must be key, service or day."));
        }

        var total = new Item(
            null, null, null, items.Sum(i => i.Calls), items.Sum(i => i.Completed), items.Sum(i => i.InputTokens), items.Sum(i => i.CachedInputTokens), items.Sum(i => i.OutputTokens), items.Sum(i => i.Cost));
        return TypedResults.Ok(new Response(begin, end, "USD", total, [.. items.OrderBy(item => item.Day).ThenBy(item => item.Service, StringComparer.Ordinal).ThenBy(item => item.Key)]));
    }

    private static IQueryable<Item> Sum(IQueryable<IGrouping<Group, UsageRecord>> groups) => groups.Select(group => new Item(
        group.Key.Key,
        group.Key.Service,
        group.Key.Day == null ? null : new DateOnly(group.Key.Day.Value / 10_000, group.Key.Day.Value / 100 % 100, group.Key.Day.Value % 100),
        group.LongCount(),
        group.LongCount(record => record.Outcome == RequestOutcome.Completed),
        group.Sum(record => record.InputTokens),
        group.Sum(record => record.CachedInputTokens),
        group.Sum(record => record.OutputTokens),
        group.Sum(record => record.Cost)));

    private sealed record Group
    {
        public Guid? Key { get; init; }

        public string? Service { get; init; }

        public int? Day { get; init; }
    }
}
