using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Text.Json;
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

/// <summary><c>GET /api/v1/usage/records</c>: the records of single calls, newest first; <c>?requestId=</c> finds the one of an <c>x-request-id</c>, <see cref="UsageFilter"/> those of a key, a service, a time …</summary>
internal static class ListRecords
{
    /// <summary>One call. The members are those of the event <c>marketplace.request.settled.v1</c>, and what became of each attempt; what the provider told of usage,
    /// word for word; and a revision that is more than 1 when a later outcome corrected the record.</summary>
    internal sealed record Item(
        Guid RequestId, Guid KeyId, Guid ListingId, Guid VersionId, string Service, string Operation, RequestOutcome Outcome, int StatusCode, long InputTokens,
        long CachedInputTokens, long OutputTokens, bool UsageCounted, decimal Cost, string Currency, bool Streamed, DateTimeOffset AdmittedAt, DateTimeOffset SettledAt,
        double LatencyMs, double? FirstByteMs, JsonElement? ProviderUsage, int Revision, IReadOnlyList<Attempt> Attempts, string Model, string? EndUser, IReadOnlyDictionary<string, string> Tags,
        bool FromCache, bool ExceededReservation);

    private sealed record Position(DateTimeOffset AdmittedAt, Guid RequestId);

    public static void Map(IEndpointRouteBuilder usage) => usage.MapGet("/usage/records", HandleAsync).WithName("ListRecords").WithSummary("The records of single calls, newest first; with a token or an API key");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(
        HttpContext http, ConsumptionDb db, ApiKeyHasher hasher, TimeProvider time, [AsParameters] UsageFilter filter, CancellationToken cancellationToken,
        [Description("The `x-request-id` of one call.")] Guid? requestId = null, int? limit = null, string? cursor = null)
    {
        var (scope, refusal) = await UsageCaller.FindAsync(http, db, hasher, time);
        if (refusal is not null)
        {
            return refusal;
        }

        if (filter.Check().ToArray() is { Length: > 0 } issues)
        {
            return Problems.Invalid(issues);
        }

        List<object> values = [];
        var where = filter.Where(scope, value =>
        {
            values.Add(value);
            return $"{{{values.Count - 1}}}";
        });
        var records = db.Set<UsageRecord>().FromSql(FormattableStringFactory.Create("SELECT * FROM usage_records WHERE " + where, [.. values])).AsNoTracking();
        if (requestId is { } one)
        {
            records = records.Where(record => record.RequestId == one);
        }

        Position? after = null;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        if (after is not null)
        {
            records = records.Where(record => EF.Functions.LessThan(ValueTuple.Create(record.AdmittedAt, record.RequestId), ValueTuple.Create(after.AdmittedAt, after.RequestId)));
        }

        var size = Paging.Limit(limit);
        var rows = await records.OrderByDescending(record => record.AdmittedAt).ThenByDescending(record => record.RequestId).Take(size + 1).ToListAsync(cancellationToken);
        return TypedResults.Ok(new Page<Item>(
            [.. rows.Take(size).Select(Of)],
            rows.Count > size ? Paging.Encode(new Position(rows[size - 1].AdmittedAt, rows[size - 1].RequestId)) : null));
    }

    internal static Item Of(UsageRecord r) => new(
        r.RequestId, r.KeyId, r.ListingId, r.VersionId, r.Service, r.Operation, r.Outcome, r.StatusCode, r.InputTokens, r.CachedInputTokens, r.OutputTokens, r.UsageCounted, r.Cost,
        r.Currency, r.Streamed, r.AdmittedAt, r.SettledAt, r.LatencyMs, r.FirstByteMs, r.ProviderUsage is { } told ? JsonElement.Parse(told) : null, r.Revision, r.Attempts, r.Model, r.EndUser, r.Tags, r.FromCache, r.ExceededReservation);
}
