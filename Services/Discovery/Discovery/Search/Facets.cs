namespace LlmMarketplace.Discovery.Search;

/// <summary>A value and how many listings a search would find if it narrowed this dimension to it alone.</summary>
internal sealed record FacetValue(string Value, int Count);

/// <summary>
/// Counts as matches go by. A dimension counts what passes all <i>other</i> dimensions: so people see what else they could choose, and a count never promises
/// what a click does not show.
/// </summary>
internal sealed class FacetCounts
{
    private const int MaximumValues = 50;

    private readonly Dictionary<string, int>[] counts = [.. Dimension.All.Select(_ => new Dictionary<string, int>(StringComparer.Ordinal))];

    /// <param name="listing">A match that holds the numeric limits.</param>
    /// <param name="failed">The dimensions that it fails.</param>
    public void Count(Listing listing, uint failed)
    {
        for (var i = 0; i < Dimension.All.Count; i++)
        {
            if ((failed & ~(1u << i)) != 0)
            {
                continue;
            }

            foreach (var value in Dimension.All[i].Values(listing).Distinct(StringComparer.Ordinal))
            {
                counts[i][value] = counts[i].GetValueOrDefault(value) + 1;
            }
        }
    }

    public IReadOnlyDictionary<string, IReadOnlyList<FacetValue>> ToFacets() => Dimension.All.Select((dimension, i) => (dimension.Name, Values: counts[i])).ToDictionary(
        pair => pair.Name,
        IReadOnlyList<FacetValue> (pair) => [.. pair.Values.OrderByDescending(v => v.Value).ThenBy(v => v.Key, StringComparer.Ordinal).Take(MaximumValues).Select(v => new FacetValue(v.Key, v.Value))]);
}
