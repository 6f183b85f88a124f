using LlmMarketplace.Identity.SignIn;
using Microsoft.AspNetCore.Authentication;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>
/// GET /connect/logout (OpenID Connect RP-Initiated Logout). With an id token that names the person it ends the session at once;
/// without one any page could send people here, so they are asked first.
/// </summary>
internal static class EndSession
{
    public static async Task<IResult> HandleAsync(HttpContext context)
    {
        var hint = await context.AuthenticateAsync(ExchangeToken.Scheme).ConfigureAwait(false);
        if (hint.Principal?.FindFirst(MarketplaceTokens.SubjectClaim) is null)
        {
            return Results.LocalRedirect(SignOutPage.Path);
        }

        await context.SignOutAsync(Session.Scheme).ConfigureAwait(false);
        return Results.SignOut(new AuthenticationProperties { RedirectUri = SignOutPage.DonePath }, [ExchangeToken.Scheme]);
    }
}
