using System.Security.Claims;

namespace LlmMarketplace.Identity.Contracts;

/// <summary>What stands in an access token (RFC 9068) of the marketplace. A token names one organisation and lives 10 minutes.</summary>
public static class MarketplaceTokens
{
    /// <summary>Audience of everything that people and their programs call.</summary>
    public const string Audience = "llm-marketplace";

    /// <summary>Scope that asks for <see cref="Audience"/>.</summary>
    public const string Scope = "marketplace";

    /// <summary>Claim: id of the organisation that the token acts for (UUID).</summary>
    public const string OrganisationClaim = "org";

    /// <summary>Claim: that organisation's slug.</summary>
    public const string OrganisationSlugClaim = "org_slug";

    /// <summary>Claim: one per role.</summary>
    public const string RoleClaim = "role";

    /// <summary>Claim: user id, or the client id of a machine client.</summary>
    public const string SubjectClaim = "sub";

    /// <summary>Audience of the internal endpoints of one service.</summary>
    public static string InternalAudience(string service) => $"{Audience}-internal:{service}";

    /// <summary>Scope that asks for <see cref="InternalAudience"/>; granted to services only.</summary>
    public static string InternalScope(string service) => $"internal:{service}";

    /// <summary>The organisation that the caller acts for.</summary>
    /// <exception cref="InvalidOperationException">The token names none; the authorization policies let no such token through.</exception>
    public static Guid OrganisationId(this ClaimsPrincipal caller) =>
        Guid.TryParse(caller.FindFirst(OrganisationClaim)?.Value, out var id)
            ? id
            : throw new InvalidOperationException("The token names no organisation: authorize the route before its handler runs.");

    /// <summary>The slug of the organisation that the caller acts for.</summary>
    public static string OrganisationSlug(this ClaimsPrincipal caller) => caller.FindFirst(OrganisationSlugClaim)?.Value ?? "";

    /// <summary>User id, or client id of a machine client.</summary>
    public static string Subject(this ClaimsPrincipal caller) =>
        caller.FindFirst(SubjectClaim)?.Value ?? throw new InvalidOperationException("The token has no subject.");

    /// <summary>Whether the caller has one of <see cref="Roles"/>.</summary>
    public static bool Has(this ClaimsPrincipal caller, string role)
    {
        ArgumentNullException.ThrowIfNull(caller);
        return caller.HasClaim(RoleClaim, role);
    }

    /// <summary>Whether the caller may read what is every organisation's: administrators and auditors.</summary>
    public static bool SeesAll(this ClaimsPrincipal caller) => caller.Has(Roles.Admin) || caller.Has(Roles.Auditor);
}
