using System.ComponentModel;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Discovery.Search;

/// <summary>The query of a search. A parameter given several times means any of the values; different parameters must all hold.</summary>
internal sealed record SearchParameters(
    [property: Description("What you are looking for, in your own words.")] string? Q,
    [property: Description("Category.")] string[] Category,
    [property: Description("Tag.")] string[] Tag,
    [property: Description("The provider's slug.")] string[] Provider,
    [property: Description("free, per-token, per-request or subscription.")] string[] Pricing,
    [property: Description("public, internal, confidential or restricted.")] string[] ComplianceLevel,
    [property: Description("For instance SOC2.")] string[] Certification,
    [property: Description("Country code of where data is kept.")] string[] Residency,
    [property: Description("text, image, audio, video or file.")] string[] InputModality,
    [property: Description("The same, or embedding.")] string[] OutputModality,
    [property: Description("tools, structured_output, gdpr or hipaa.")] string[] Feature,
    [property: Description("basic, premium or enterprise.")] string[] Support,
    [property: Description("Of the version shown; active and deprecated unless given. Other states are seen of one's own listings only.")] string[] Status,
    [property: Description("The most per million tokens, input and output each, at your rates.")] decimal? MaxPrice,
    [property: Description("The least availability that is promised, in percent.")] decimal? MinAvailability,
    [property: Description("The least context window, in tokens.")] int? MinContextWindow,
    [property: Description("relevance, price, promised_latency or newest.")] string? Sort,
    [property: Description("Whether each item says how its score came about.")] bool? Explain,
    [property: Description("Items on a page, 1 to 100; 20 unless given.")] int? Limit,
    [property: Description("nextCursor of the page before.")] string? Cursor)
{
    private const int MaximumText = 1_000;
    private const int MaximumValues = 50;

    /// <summary>What was asked, and everything that is wrong with it.</summary>
    public List<Issue> Read(out string? text, out SearchFilters filters, out SortOrder sort)
    {
        var issues = new List<Issue>();
        text = string.IsNullOrWhiteSpace(Q) ? null : Q.Trim().Replace('\0', ' ');
        if (text?.Length > MaximumText)
        {
            issues.Add(new Issue("invalid_filter", "/q", $"q is longer than {MaximumText} characters."));
        }

        sort = SortOrder.Relevance;
        if (Sort is not null && !Wire<SortOrder>.TryParse(Sort, out sort))
        {
            issues.Add(new Issue("invalid_sort", "/sort", $"sort must be one of {string.Join(", ", Wire<SortOrder>.All)}."));
        }

        Closed(issues, "category", Category, ServiceCategories.All);
        Closed(issues, "pricing", Pricing, Wire<PricingModel>.All);
        Closed(issues, "complianceLevel", ComplianceLevel, Wire<ClearanceLevel>.All);
        Closed(issues, "support", Support, Wire<SupportLevel>.All);
        Closed(issues, "status", Status, Wire<VersionState>.All);
        Closed(issues, "feature", Feature, ["tools", "structured_output", "gdpr", "hipaa"]);
        (string Name, string[] Values)[] given =
        [
            ("category", Category), ("tag", Tag), ("provider", Provider), ("pricing", Pricing), ("complianceLevel", ComplianceLevel), ("certification", Certification), ("residency", Residency),
            ("inputModality", InputModality), ("outputModality", OutputModality), ("feature", Feature), ("support", Support), ("status", Status.Length > 0 ? Status : SearchFilters.LiveStates),
        ];
        foreach (var (name, _) in given.Where(g => g.Values.Length > MaximumValues))
        {
            issues.Add(new Issue("invalid_filter", $"/{name}", $"{name} is given more than {MaximumValues} times."));
        }

        filters = new SearchFilters(given.Where(g => g.Values.Length > 0).ToDictionary(g => g.Name, g => g.Values), MaxPrice, MinAvailability, MinContextWindow);
        return issues;
    }

    private static void Closed(List<Issue> issues, string name, string[] values, IEnumerable<string> allowed)
    {
        if (values.Except(allowed).ToList() is [var first, ..])
        {
            issues.Add(new Issue("invalid_filter", $"/{name}", $"{name} has no value `{first}`; it is one of {string.Join(", ", allowed)}."));
        }
    }
}
