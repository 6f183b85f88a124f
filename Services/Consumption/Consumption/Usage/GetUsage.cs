using System.ComponentModel;
using System.Text.Json.Serialization;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Npgsql;
using NpgsqlTypes;

namespace LlmMarketplace.Consumption.Usage;

/// <summary><c>GET /api/v1/usage</c>: what was used and what it cost, exactly, by group; as JSON in pages or, with <c>Accept: text/csv</c>, all of it as CSV.</summary>
internal static class GetUsage
{
    private const int MaxPage = 100;

    /// <param name="Key">The key's id, when grouped by key.</param>
    /// <param name="Service"><c>provider/service</c>, when grouped by service.</param>
    /// <param name="Day">The UTC day, when grouped by day.</param>
    /// <param name="Calls">Admitted calls.</param>
    /// <param name="Completed">Of these, with a whole answer.</param>
    /// <param name="InputTokens">Tokens in, cached ones included.</param>
    /// <param name="CachedInputTokens">Of these, cached.</param>
    /// <param name="OutputTokens">Tokens out.</param>
    /// <param name="Cost">Exact.</param>
    /// <param name="Model"><c>provider/service@version</c>, when grouped by model.</param>
    /// <param name="Tag"><c>name=value</c>, when grouped by tag; null: calls without.</param>
    /// <param name="EndUser">When grouped by end user; null: calls that named none.</param>
    /// <param name="Outcome">When grouped by outcome.</param>
    /// <param name="Group">The group's key as text, by which items are in order.</param>
    internal sealed record Item(
        Guid? Key, string? Service, DateOnly? Day, long Calls, long Completed, long InputTokens, long CachedInputTokens, long OutputTokens, decimal Cost,
        string? Model, string? Tag, string? EndUser, RequestOutcome? Outcome, [property: JsonIgnore] string? Group);

    /// <param name="From">Calls admitted at or after this moment.</param>
    /// <param name="To">And before this one.</param>
    /// <param name="Currency">Of all costs.</param>
    /// <param name="Total">All together, each call once; not only this page.</param>
    /// <param name="Items">By group, in the group's order. Grouped by <c>tag</c>, a call with several tags is in the item of each.</param>
    /// <param name="NextCursor">Pass it as <c>cursor</c> for the next page; null on the last one.</param>
    internal sealed record Response(DateTimeOffset From, DateTimeOffset To, string Currency, Item Total, IReadOnlyList<Item> Items, string? NextCursor);

    public static void Map(IEndpointRouteBuilder usage) => usage.MapGet("/usage", HandleAsync).WithName("GetUsage")
        .WithSummary("Usage and cost by day, service, key, model, tag, end user or outcome; with a token or an API key; as CSV with `Accept: text/csv`");

    private static async Task<Results<Ok<Response>, PushStreamHttpResult, ProblemHttpResult>> HandleAsync(
        HttpContext http, ConsumptionDb db, SumUsage sums, ApiKeyHasher hasher, TimeProvider time, [AsParameters] UsageFilter filter, CancellationToken cancellationToken,
        [Description(UsageGroup.Choices)] string groupBy = "day", [Description("Items on a page, at most 100.")] int? limit = null, string? cursor = null)
    {
        var (scope, refusal) = await UsageCaller.FindAsync(http, db, hasher, time);
        if (refusal is not null)
        {
            return refusal;
        }

        Issue[] issues = [.. filter.Check()];
        if (UsageGroup.Find(groupBy) is not { } group)
        {
            issues = [.. issues, new Issue("invalid_group", "", $"`groupBy` must be {UsageGroup.Choices}.")];
            return Problems.Invalid(issues);
        }

        if (issues.Length > 0)
        {
            return Problems.Invalid(issues);
        }

        string? after = null;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        var now = time.GetUtcNow();
        var begin = (filter.From ?? new DateTimeOffset(now.Year, now.Month, 1, 0, 0, 0, TimeSpan.Zero)).ToUniversalTime();
        var end = (filter.To ?? now.AddMinutes(1)).ToUniversalTime(); // Redis's clock dates the calls; it may be a little ahead.
        string Where(NpgsqlParameterCollection parameters) => (filter with { From = begin, To = end }).Where(scope, value =>
        {
            parameters.Add(value is DateTimeOffset moment ? new NpgsqlParameter { Value = moment, NpgsqlDbType = NpgsqlDbType.TimestampTz } : new NpgsqlParameter { Value = value });
            return "$" + parameters.Count;
        });
        http.Response.Headers.Vary = "Accept";
        if (UsageCsv.IsAskedFor(http.Request))
        {
            return TypedResults.Stream(to => UsageCsv.WriteAsync(to, group, sums.StreamAsync(Where, group, http.RequestAborted), http.RequestAborted), UsageCsv.MediaType, "usage.csv");
        }

        var size = Math.Clamp(limit ?? MaxPage, 1, MaxPage);
        var (total, items) = await sums.PageAsync(Where, group, after, size + 1, cancellationToken);
        return TypedResults.Ok(new Response(begin, end, "USD", total, [.. items.Take(size)], items.Count > size ? Paging.Encode(items[size - 1].Group) : null));
    }
}
