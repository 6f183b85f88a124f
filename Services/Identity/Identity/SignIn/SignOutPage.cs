using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Authentication;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>/signout: asks, then ends the session of this browser.</summary>
internal static class SignOutPage
{
    public const string Path = "/signout";
    public const string DonePath = Path + "?done=true";

    public static IResult Show(bool? done, HttpContext context, IAntiforgery antiforgery)
    {
        if (done is true)
        {
            return Html.Page("You are signed out", "<p>You can close this page.</p>");
        }

        var token = antiforgery.GetAndStoreTokens(context);
        return Html.Page(
            "Sign out?",
            $"""
             <p>This ends your session in this browser.</p>
             <form method="post" action="{Path}">
             <input type="hidden" name="{Html.Text(token.FormFieldName)}" value="{Html.Text(token.RequestToken)}">
             <button type="submit">Sign out</button>
             </form>
             """);
    }

    public static async Task<IResult> SubmitAsync(HttpContext context, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(context).ConfigureAwait(false))
        {
            return Show(done: null, context, antiforgery);
        }

        await context.SignOutAsync(Session.Scheme).ConfigureAwait(false);
        return new SignInPage.SeeOther(DonePath);
    }
}
