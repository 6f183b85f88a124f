using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>
/// One dimension that a caller may narrow by. A listing passes when it has any of the values asked for; all dimensions asked for must pass.
/// </summary>
/// <param name="Name">As in the query and among the facets.</param>
/// <param name="Values">A listing's values.</param>
internal sealed record Dimension(string Name, Func<Listing, IEnumerable<string>> Values)
{
    /// <summary>The dimensions that are counted as facets, in the order in which people see them.</summary>
    public static IReadOnlyList<Dimension> All { get; } =
    [
        new("category", l => [l.Specification.Category]),
        new("tag", l => l.Specification.Tags),
        new("provider", l => [l.Provider]),
        new("pricing", l => [Wire<PricingModel>.Name(l.Specification.Pricing.Model)]),
        new("complianceLevel", l => [l.Specification.Compliance.Level]),
        new("certification", l => l.Specification.Compliance.Certifications),
        new("residency", l => l.Specification.Compliance.DataResidency),
        new("inputModality", l => l.Specification.Model.InputModalities),
        new("outputModality", l => l.Specification.Model.OutputModalities),
        new("feature", Features),
        new("support", l => [Wire<SupportLevel>.Name(l.Specification.Sla.SupportLevel)]),
        new("status", l => [Wire<VersionState>.Name(l.State)]),
    ];

    private static IEnumerable<string> Features(Listing listing)
    {
        var (model, compliance) = (listing.Specification.Model, listing.Specification.Compliance);
        (string Name, bool Has)[] features = [("tools", model.Tools), ("structured_output", model.StructuredOutput), ("gdpr", compliance.Gdpr), ("hipaa", compliance.Hipaa)];
        return features.Where(f => f.Has).Select(f => f.Name);
    }
}

/// <summary>What a caller narrows a search by.</summary>
/// <param name="Any">Values by dimension; a dimension that is absent does not narrow.</param>
/// <param name="MaxPrice">The most per million tokens, input and output each, at the viewer's rates.</param>
/// <param name="MinAvailability">The least that the provider promises, in percent.</param>
/// <param name="MinContextWindow">The least tokens.</param>
internal sealed record SearchFilters(IReadOnlyDictionary<string, string[]> Any, decimal? MaxPrice, decimal? MinAvailability, int? MinContextWindow)
{
    /// <summary>What is looked at unless the caller asks for other states: what can be called.</summary>
    public static string[] LiveStates { get; } = [Wire<VersionState>.Name(VersionState.Active), Wire<VersionState>.Name(VersionState.Deprecated)];

    /// <summary>No narrowing beyond <see cref="LiveStates"/>.</summary>
    public static SearchFilters Live { get; } = new(new Dictionary<string, string[]> { ["status"] = LiveStates }, null, null, null);

    /// <summary>Whether the numbers hold.</summary>
    public bool WithinLimits(Listing listing, string tier) =>
        (MaxPrice is not { } most || (Prices.PerMillionTokens(listing.Specification.Pricing, tier) is { } price && price <= most))
        && (MinAvailability is not { } least || listing.Specification.Sla.Availability >= least)
        && (MinContextWindow is not { } tokens || listing.Specification.Model.ContextWindow >= tokens);

    /// <summary>The dimensions that the listing fails, as bits in the order of <see cref="Dimension.All"/>.</summary>
    public uint Failed(Listing listing)
    {
        var failed = 0u;
        for (var i = 0; i < Dimension.All.Count; i++)
        {
            var dimension = Dimension.All[i];
            if (Any.TryGetValue(dimension.Name, out var wanted) && !dimension.Values(listing).Any(value => wanted.Contains(value, StringComparer.OrdinalIgnoreCase)))
            {
                failed |= 1u << i;
            }
        }

        return failed;
    }
}
