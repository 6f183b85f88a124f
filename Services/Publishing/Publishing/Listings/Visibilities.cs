using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Listings;

/// <summary>What a visibility must be like.</summary>
internal static class Visibilities
{
    private const int MostOrganisations = 1_000;

    public static IEnumerable<Issue> Check(ListingVisibility? visibility)
    {
        if (visibility is null)
        {
            yield return new Issue("required", "/visibility", "visibility is required: {\"kind\": \"public\"}, {\"kind\": \"organisations\", \"organisations\": [ids]} or {\"kind\": \"private\"}.");
            yield break;
        }

        var named = visibility.Organisations?.Count ?? 0;
        if (visibility.Kind == VisibilityKind.Organisations ? named is 0 or > MostOrganisations : named > 0)
        {
            yield return new Issue("invalid_visibility", "/visibility/organisations", $"The kind organisations names 1 to {MostOrganisations} organisations, the other kinds none.");
        }
    }

    /// <summary>Without repetitions, and with an empty list instead of none.</summary>
    public static ListingVisibility Normalise(ListingVisibility visibility) => visibility with { Organisations = [.. (visibility.Organisations ?? []).Distinct()] };
}
