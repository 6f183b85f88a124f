using System.Security.Claims;
using System.Text.Json;
using LlmMarketplace.Identity.Clients;
using LlmMarketplace.Identity.Start;
using Microsoft.IdentityModel.JsonWebTokens;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>Why a token is refused; the error codes of OAuth 2.0 (RFC 6749, 5.2) with words for people.</summary>
internal sealed record GrantRefusal(string Error, string Description)
{
    public static readonly GrantRefusal NoStanding = new(Errors.InvalidGrant, "The account, its membership or its organisation was taken back or suspended.");
    public static readonly GrantRefusal Suspended = new(Errors.UnauthorizedClient, "The client's organisation is suspended, or the client is no longer known.");
    public static readonly GrantRefusal OneInternalScope = new(Errors.InvalidScope, "A service asks for the scope of the one service that it calls: internal:{service}.");
    public static readonly GrantRefusal NotMember = new(Errors.AccessDenied, "You are not a member of this organisation, or it is suspended.");
}

/// <summary>
/// Makes what stands in tokens, from the state of things now: also when a code is exchanged or a token refreshed,
/// so that what was taken back ends with the access token.
/// </summary>
internal sealed class Grants(IdentityDb db, IOptions<IssuerOptions> issuer)
{
    private const string AuthenticationType = "marketplace";

    /// <summary>A person for one of their organisations; null when they may not act for it (any more).</summary>
    public async Task<ClaimsPrincipal?> OfUserAsync(Guid userId, Guid organisationId, IEnumerable<string> scopes, CancellationToken cancellationToken)
    {
        var found = await db.Memberships.AsNoTracking()
            .Where(m => m.UserId == userId && m.OrganisationId == organisationId && m.User!.LockedAt == null && m.Organisation!.Status == OrganisationStatus.Active)
            .Select(m => new { m.User!.Name, m.User.Email, m.Organisation!.Slug, m.Roles })
            .SingleOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        if (found is null)
        {
            return null;
        }

        var identity = Identity(userId.ToString(), found.Name, found.Roles);
        identity.SetClaim(Claims.Email, found.Email)
            .SetClaim(MarketplaceTokens.OrganisationClaim, organisationId.ToString())
            .SetClaim(MarketplaceTokens.OrganisationSlugClaim, found.Slug);
        return Principal(identity, scopes);
    }

    /// <summary>A program: a service of the marketplace, or a machine client of an organisation.</summary>
    public async Task<(ClaimsPrincipal? Principal, GrantRefusal? Refusal)> OfClientAsync(string clientId, IReadOnlyList<string> scopes, CancellationToken cancellationToken)
    {
        if (clientId.StartsWith(ClientRules.ServicePrefix, StringComparison.Ordinal))
        {
            if (!issuer.Value.ServiceClients.ContainsKey(clientId[ClientRules.ServicePrefix.Length..]))
            {
                return (null, GrantRefusal.Suspended);
            }

            return scopes.Count == 1 // A token that two services take could be used by one against the other.
                ? (Principal(Identity(clientId, clientId, [Roles.Service]), scopes), null)
                : (null, GrantRefusal.OneInternalScope);
        }

        var found = await db.Clients.AsNoTracking()
            .Where(c => c.Id == clientId && c.Organisation!.Status == OrganisationStatus.Active)
            .Select(c => new { c.Name, c.OrganisationId, c.Organisation!.Slug, c.Roles })
            .SingleOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        if (found is null)
        {
            return (null, GrantRefusal.Suspended);
        }

        var identity = Identity(clientId, found.Name, found.Roles);
        identity.SetClaim(MarketplaceTokens.OrganisationClaim, found.OrganisationId.ToString())
            .SetClaim(MarketplaceTokens.OrganisationSlugClaim, found.Slug);
        return (Principal(identity, scopes.Count == 0 ? [MarketplaceTokens.Scope] : scopes), null);
    }

    private static ClaimsIdentity Identity(string subject, string name, IEnumerable<string> roles)
    {
        var identity = new ClaimsIdentity(AuthenticationType, Claims.Name, Claims.Role);
        identity.SetClaim(Claims.Subject, subject).SetClaim(Claims.Name, name);
        identity.AddClaim(new Claim(MarketplaceTokens.RoleClaim, JsonSerializer.Serialize(roles), JsonClaimValueTypes.JsonArray)); // An array, also of one.
        return identity;
    }

    private static ClaimsPrincipal Principal(ClaimsIdentity identity, IEnumerable<string> scopes)
    {
        var principal = new ClaimsPrincipal(identity);
        principal.SetScopes(scopes);
        principal.SetResources(principal.GetScopes().Select(AudienceOf).OfType<string>());
        principal.SetDestinations(claim => claim.Type is Claims.Name or Claims.Email or MarketplaceTokens.OrganisationSlugClaim
            ? [Destinations.AccessToken, Destinations.IdentityToken]
            : [Destinations.AccessToken]);
        return principal;
    }

    private static string? AudienceOf(string scope)
    {
        const string InternalPrefix = "internal:";
        return scope switch
        {
            MarketplaceTokens.Scope => MarketplaceTokens.Audience,
            _ when scope.StartsWith(InternalPrefix, StringComparison.Ordinal) => MarketplaceTokens.InternalAudience(scope[InternalPrefix.Length..]),
            _ => null,
        };
    }
}
