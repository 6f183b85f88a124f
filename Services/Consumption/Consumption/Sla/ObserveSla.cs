using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.EntityFrameworkCore;

namespace LlmMarketplace.Consumption.Sla;

/// <summary>Puts what was observed of versions beside what they promise: the window's figures, and the month's.</summary>
internal static class ObserveSla
{
    /// <summary>Of which versions.</summary>
    /// <param name="Provider">Whose; null: everybody's.</param>
    /// <param name="Listing">Of which listing; null: of all.</param>
    /// <param name="AndSpotless">Whether also of listings that failed nothing this month and were not called just now.</param>
    internal sealed record Whose(Guid? Provider, Guid? Listing, bool AndSpotless)
    {
        /// <summary>Who failed nothing this month and was not called just now keeps its promises.</summary>
        public static Whose OfAllWhoMayFail { get; } = new(null, null, false);
    }

    public static async Task<List<(ListingChanged Listing, PublishedVersion Version, SlaPromise Promise)>> RunAsync(
        ConsumptionDb db, SlaOptions options, DateTimeOffset now, Whose whose, CancellationToken cancellationToken)
    {
        var (since, today) = (now - options.Window - SlaInterval.Length, DateOnly.FromDateTime(now.UtcDateTime));
        var first = new DateOnly(today.Year, today.Month, 1);
        var window = await db.Set<SlaInterval>().Where(interval => interval.Start > since && (whose.Listing == null || interval.ListingId == whose.Listing))
            .GroupBy(interval => new { interval.VersionId, interval.ListingId })
            .Select(group => new { group.Key.VersionId, group.Key.ListingId, Calls = group.Sum(one => one.Calls), Failures = group.Sum(one => one.Failures), WorstMs = group.Max(one => one.WorstMs) })
            .ToDictionaryAsync(sum => sum.VersionId, cancellationToken);
        var month = await db.Set<SlaDay>().Where(day => day.Day >= first && day.Day <= today && (whose.Listing == null || day.ListingId == whose.Listing))
            .GroupBy(day => new { day.VersionId, day.ListingId })
            .Select(group => new { group.Key.VersionId, group.Key.ListingId, Calls = group.Sum(one => one.Calls), Failures = group.Sum(one => one.Failures) })
            .ToDictionaryAsync(sum => sum.VersionId, cancellationToken);

        var listings = month.Values.Where(sum => whose.AndSpotless || sum.Failures > 0).Select(sum => sum.ListingId).Union(window.Values.Select(sum => sum.ListingId)).ToArray();
        var states = await db.Set<ListingRow>().AsNoTracking().Where(row => listings.Contains(row.ListingId)).Select(row => row.State).ToListAsync(cancellationToken);
        return
        [
            .. from state in states
               let listing = JsonSerializer.Deserialize<ListingChanged>(state, Json.Options)!
               where whose.Provider is null || listing.OrganisationId == whose.Provider
               from version in listing.Versions
               let recent = window.GetValueOrDefault(version.VersionId)
               let all = month.GetValueOrDefault(version.VersionId)
               from promise in SlaPromise.Of(
                   version.Specification.Sla,
                   options.ErrorRate,
                   recent is null ? default : (recent.Calls, recent.Failures, recent.WorstMs),
                   all is null ? default : (all.Calls, all.Failures))
               select (listing, version, promise),
        ];
    }
}
