namespace LlmMarketplace.ApiConventions;

/// <summary>Names of the authorization policies that every service has.</summary>
public static class MarketplacePolicies
{
    /// <summary>
    /// For <c>/internal/*</c>: another service of the marketplace, with a token made out to this one. All other routes need a token of audience
    /// <c>llm-marketplace</c> that names an organisation; that is the default and the fallback policy.
    /// </summary>
    public const string Internal = "internal";
}
