using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Identity.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Sla;

/// <summary><c>GET /api/v1/sla</c>: what versions promise and what is observed of it now, by name; a provider sees its own, administrators and auditors all. A version that nobody called this month is not there.</summary>
internal static class ShowSla
{
    /// <param name="ListingId">Of which listing.</param>
    /// <param name="VersionId">Of which version.</param>
    /// <param name="ProviderOrganisationId">Whose.</param>
    /// <param name="Model">As calls name it, with the version.</param>
    /// <param name="Promises">Latency and error rate of the window at hand, where it had calls, and availability of the month so far.</param>
    internal sealed record Item(Guid ListingId, Guid VersionId, Guid ProviderOrganisationId, string Model, IReadOnlyList<Promise> Promises);

    /// <param name="Metric">What is promised.</param>
    /// <param name="Promised">In milliseconds, or per cent.</param>
    /// <param name="Observed">The same: the longest time, the share of failed calls, the share of calls that did not fail.</param>
    /// <param name="IsKept">Whether the promise is kept.</param>
    /// <param name="Calls">Calls that tell something of the provider.</param>
    /// <param name="Failures">Of these, the ones that it failed.</param>
    internal sealed record Promise(SlaMetric Metric, decimal Promised, decimal Observed, bool IsKept, long Calls, long Failures);

    private sealed record Position(string Model);

    public static void Map(IEndpointRouteBuilder sla) => sla.MapGet("", HandleAsync).WithName("ShowSla").WithSummary("Read what versions promise, and what is observed of it now");

    private static async Task<Results<Ok<Page<Item>>, ProblemHttpResult>> HandleAsync(
        ClaimsPrincipal caller,
        ConsumptionDb db,
        IOptions<SlaOptions> options,
        TimeProvider time,
        CancellationToken cancellationToken,
        [Description("Of one listing.")] Guid? listingId = null,
        int? limit = null,
        string? cursor = null)
    {
        Position? after = null;
        if (Paging.Resume(cursor, ref after) is { } invalid)
        {
            return invalid;
        }

        var seen = await ObserveSla.RunAsync(db, options.Value, time.GetUtcNow(), new(caller.SeesAll() ? null : caller.OrganisationId(), listingId, AndSpotless: true), cancellationToken);
        var size = Paging.Limit(limit);
        Item[] items =
        [
            .. seen
                .GroupBy(one => one.Version.VersionId)
                .Select(version => (First: version.First(), Promises: version.Select(one => one.Promise).ToArray()))
                .Select(version => new Item(
                    version.First.Listing.ListingId,
                    version.First.Version.VersionId,
                    version.First.Listing.OrganisationId,
                    $"{version.First.Listing.Provider}/{version.First.Listing.Name}@{version.First.Version.Version}",
                    [.. version.Promises.Select(one => new Promise(one.Metric, one.Promised, one.Observed, one.IsKept, one.Calls, one.Failures))]))
                .Where(item => after is null || string.CompareOrdinal(item.Model, after.Model) > 0)
                .OrderBy(item => item.Model, StringComparer.Ordinal)
                .Take(size + 1),
        ];
        return TypedResults.Ok(new Page<Item>([.. items.Take(size)], items.Length > size ? Paging.Encode(new Position(items[size - 1].Model)) : null));
    }
}
