using LlmMarketplace.Identity.Users;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>Accounts, passwords, sessions and the pages for them.</summary>
internal static class SignInRoutes
{
    public static void AddSignIn(this IHostApplicationBuilder builder)
    {
        builder.Services.AddIdentityCore<User>(identity =>
        {
            identity.User.RequireUniqueEmail = true;
            identity.User.AllowedUserNameCharacters = ""; // It is the e-mail address, which has its own check.
            identity.Password.RequiredLength = PasswordRules.MinLength;
            identity.Password.RequiredUniqueChars = 1;
            identity.Password.RequireDigit = identity.Password.RequireLowercase = identity.Password.RequireUppercase = identity.Password.RequireNonAlphanumeric = false;
        }).AddEntityFrameworkStores<IdentityDb>();
        builder.Services.AddAuthentication().AddCookie(Session.Scheme, Session.Configure);
        builder.Services.AddAntiforgery(antiforgery =>
        {
            antiforgery.Cookie.Name = "marketplace-form";
            antiforgery.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            antiforgery.FormFieldName = "form-token";
        });
        builder.Services.AddScoped<Session>();
        builder.Services.AddScoped<PasswordCheck>();
    }

    public static void MapSignIn(this IEndpointRouteBuilder app)
    {
        // Open to all: this is where people prove who they are. Each POST checks its antiforgery token itself.
        var pages = app.MapGroup("/").AllowAnonymous().ExcludeFromDescription();
        pages.MapGet(SignInPage.Path, SignInPage.ShowAsync);
        pages.MapPost(SignInPage.Path, SignInPage.SubmitAsync);
        pages.MapGet(SignOutPage.Path, SignOutPage.Show);
        pages.MapPost(SignOutPage.Path, SignOutPage.SubmitAsync);
    }
}
