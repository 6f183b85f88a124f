using System.Text.Json.Serialization;

namespace LlmMarketplace.Discovery.Search;

/// <summary>What a list is sorted by. Latency as measured, throughput and rating are no orders until they are measured.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SortOrder>))]
internal enum SortOrder
{
    /// <summary>By score, best first.</summary>
    [JsonStringEnumMemberName("relevance")] Relevance,

    /// <summary>By the dearer of input and output per million tokens at the caller's rates, cheapest first; what is not charged by tokens comes last.</summary>
    [JsonStringEnumMemberName("price")] Price,

    /// <summary>By the longest latency that the provider promises, shortest first.</summary>
    [JsonStringEnumMemberName("promised_latency")] PromisedLatency,

    /// <summary>By the date of the listing, newest first.</summary>
    [JsonStringEnumMemberName("newest")] Newest,
}

/// <summary>A place in a sorted list: what a cursor carries. Equal keys are ordered by id, newest first, so the order is total and pages neither repeat nor skip.</summary>
/// <param name="Query">Hash of what was asked: a cursor continues its own list only.</param>
/// <param name="Key">Sort key; smaller comes first.</param>
/// <param name="Id">The last listing shown.</param>
internal sealed record Position(string Query, double Key, Guid Id);

/// <summary>Sort keys.</summary>
internal static class SortOrders
{
    public static double Key(this SortOrder order, Ranked ranked, string tier)
    {
        var listing = ranked.Candidate.Listing;
        return order switch
        {
            SortOrder.Relevance => -ranked.Explanation.Score,
            SortOrder.Price => Prices.PerMillionTokens(listing.Specification.Pricing, tier) is { } price ? (double)price : double.MaxValue,
            SortOrder.PromisedLatency => listing.Specification.Sla.MaxLatencyMs,
            SortOrder.Newest => -listing.CreatedAt.UtcTicks,
            _ => throw new InvalidOperationException($"No key for {order}."),
        };
    }
}
