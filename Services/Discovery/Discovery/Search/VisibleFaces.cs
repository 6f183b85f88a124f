using LlmMarketplace.Entitlement;
using Npgsql;

namespace LlmMarketplace.Discovery.Search;

/// <summary>
/// The entitlement rule in SQL, so that what is found and cut off is what the viewer may see. Says the same as <see cref="Listing.IsShownTo"/>; both stand before the
/// entitlement library's table of cases.
/// </summary>
internal static class VisibleFaces
{
    /// <summary>A condition on <c>listing_faces f</c>.</summary>
    public const string Condition =
        """
        NOT f.deleted AND (
            (f.organisation_id = @viewer AND f.for_owner)
            OR (f.organisation_id <> @viewer AND @viewer_active
                AND @clearance BETWEEN f.cleared_from AND f.cleared_to AND f.level <= @clearance
                AND f.state IN ('active', 'deprecated') AND NOT f.suspended
                AND (f.audience = 'public' OR (f.audience = 'organisations' AND @viewer = ANY (f.admitted)))
                AND NOT EXISTS (SELECT FROM organisations o WHERE o.organisation_id = f.organisation_id AND NOT o.active)))
        """;

    /// <summary>What can be called, whoever looks.</summary>
    public const string Live = "f.state IN ('active', 'deprecated') AND NOT f.suspended";

    public static void Bind(NpgsqlParameterCollection parameters, OrganisationFacts viewer)
    {
        parameters.AddWithValue("viewer", viewer.Id);
        parameters.AddWithValue("viewer_active", viewer.Active);
        parameters.AddWithValue("clearance", (int)viewer.Clearance);
    }
}
