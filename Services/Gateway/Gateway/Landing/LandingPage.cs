using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Gateway.Landing;

/// <summary><c>/</c>: what this is, and where to go on.</summary>
internal static class LandingPage
{
    public static void MapLanding(this WebApplication app)
    {
        app.MapGet("/", () => File("landing.html", "text/html; charset=utf-8")).AllowAnonymous().ExcludeFromDescription();
        app.MapGet("/landing.css", () => File("landing.css", "text/css")).AllowAnonymous().ExcludeFromDescription();
        app.MapGet("/icon.svg", () => File("icon.svg", "image/svg+xml")).AllowAnonymous().ExcludeFromDescription();
    }

    private static FileStreamHttpResult File(string name, string type) =>
        TypedResults.Stream(typeof(LandingPage).Assembly.GetManifestResourceStream(name)!, type);
}
