using LlmMarketplace.Identity.Tokens;
using LlmMarketplace.Identity.Users;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.WebUtilities;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>/signin: e-mail address and password. Says the same whatever was wrong, and takes people back to where they came from.</summary>
internal static class SignInPage
{
    public const string Path = "/signin";
    private const string ReturnParameter = "returnUrl";
    private const string Refused = "The e-mail address or the password is not right. After several failed attempts an account is paused for 15 minutes.";
    private const string Stale = "This page was open for too long, or cookies are blocked. Please try again.";

    public static string AddressFor(string returnUrl) => QueryHelpers.AddQueryString(Path, ReturnParameter, returnUrl);

    public static async Task<IResult> ShowAsync(string? returnUrl, HttpContext context, Session session, IAntiforgery antiforgery, CancellationToken cancellationToken)
    {
        if (Back(returnUrl) is null && await session.ReadAsync(context, cancellationToken).ConfigureAwait(false) is { } signedIn)
        {
            return Html.Page("You are signed in", $"""<p>As {Html.Text(signedIn.User.Email)}. You can close this page.</p><p><a href="{SignOutPage.Path}">Sign out</a></p>""");
        }

        return Form(context, antiforgery, returnUrl, email: null, error: null, StatusCodes.Status200OK);
    }

    public static async Task<IResult> SubmitAsync(HttpContext context, PasswordCheck check, Session session, IAntiforgery antiforgery, CancellationToken cancellationToken)
    {
        if (!await antiforgery.IsRequestValidAsync(context).ConfigureAwait(false))
        {
            return Form(context, antiforgery, context.Request.Query[ReturnParameter], email: null, Stale, StatusCodes.Status400BadRequest);
        }

        var form = await context.Request.ReadFormAsync(cancellationToken).ConfigureAwait(false);
        var (returnUrl, email) = (form[ReturnParameter].ToString(), form["email"].ToString().Trim());
        var (outcome, user) = email.Length is > 0 and <= 254
            ? await check.CheckAsync(email, form["password"].ToString(), cancellationToken).ConfigureAwait(false)
            : (PasswordOutcome.NoSuchUser, null);
        if (outcome is not PasswordOutcome.Right)
        {
            return Form(context, antiforgery, returnUrl, email, Refused, StatusCodes.Status401Unauthorized);
        }

        await session.BeginAsync(context, user!).ConfigureAwait(false);
        return new SeeOther(Back(returnUrl) ?? Path);
    }

    private static IResult Form(HttpContext context, IAntiforgery antiforgery, string? returnUrl, string? email, string? error, int status)
    {
        var token = antiforgery.GetAndStoreTokens(context);
        return Html.Page(
            "Sign in",
            $"""
             <p>Use the account that your administrator gave you.</p>
             {Html.Error(error)}
             <form method="post" action="{Html.Text(Back(returnUrl) is { } back ? AddressFor(back) : Path)}">
             <input type="hidden" name="{Html.Text(token.FormFieldName)}" value="{Html.Text(token.RequestToken)}">
             <input type="hidden" name="{ReturnParameter}" value="{Html.Text(Back(returnUrl))}">
             <label for="email">E-mail address</label>
             <input id="email" name="email" type="email" autocomplete="username" required maxlength="254" value="{Html.Text(email)}"{(email is null ? " autofocus" : "")}>
             <label for="password">Password</label>
             <input id="password" name="password" type="password" autocomplete="current-password" required maxlength="{PasswordRules.MaxLength}"{(email is null ? "" : " autofocus")}>
             <button type="submit">Sign in</button>
             </form>
             """,
            status);
    }

    /// <summary>The only place to go back to is the authorization endpoint of this very server.</summary>
    private static string? Back(string? returnUrl) => returnUrl?.StartsWith(Authorize.Path + "?", StringComparison.Ordinal) is true && !returnUrl.Any(char.IsControl) ? returnUrl : null;

    /// <summary>303: the next request is a GET, whatever this one was.</summary>
    internal sealed class SeeOther(string address) : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = address;
            httpContext.Response.Headers.CacheControl = "no-store";
            return Task.CompletedTask;
        }
    }
}
