using Microsoft.AspNetCore.Authentication;
using OpenIddict.Abstractions;
using static OpenIddict.Abstractions.OpenIddictConstants;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>GET /connect/userinfo: what the access token says of the person (OpenID Connect Core, 5.3).</summary>
internal static class UserInfo
{
    public static async Task<IResult> HandleAsync(HttpContext context)
    {
        if ((await context.AuthenticateAsync(ExchangeToken.Scheme).ConfigureAwait(false)).Principal is not { } principal)
        {
            return Results.Challenge(authenticationSchemes: [ExchangeToken.Scheme]);
        }

        var claims = new Dictionary<string, object?>
        {
            [Claims.Subject] = principal.GetClaim(Claims.Subject),
            [Claims.Name] = principal.GetClaim(Claims.Name),
            [MarketplaceTokens.OrganisationClaim] = principal.GetClaim(MarketplaceTokens.OrganisationClaim),
            [MarketplaceTokens.OrganisationSlugClaim] = principal.GetClaim(MarketplaceTokens.OrganisationSlugClaim),
            [MarketplaceTokens.RoleClaim] = principal.GetClaims(MarketplaceTokens.RoleClaim),
        };
        if (principal.GetClaim(Claims.Email) is { } email)
        {
            claims[Claims.Email] = email;
        }

        return Results.Json(claims);
    }
}
