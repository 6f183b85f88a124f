using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Gateway.Landing;

/// <summary><c>/</c>: what this is, and where to go on.</summary>
internal static class LandingPage
{
    private static readonly Lazy<string> Page = new(() =>
    {
        using var reader = new StreamReader(Resource("landing.html"));
        return reader.ReadToEnd();
    });

    public static void MapLanding(this WebApplication app)
    {
        app.MapGet("/", (HttpRequest request) => TypedResults.Text(Page.Value.Replace("{{address}}", HtmlEncoder.Default.Encode($"{request.Scheme}://{request.Host}"), StringComparison.Ordinal), "text/html; charset=utf-8")).AllowAnonymous().ExcludeFromDescription();
        app.MapGet("/landing.css", () => File("landing.css", "text/css")).AllowAnonymous().ExcludeFromDescription();
        app.MapGet("/icon.svg", () => File("icon.svg", "image/svg+xml")).AllowAnonymous().ExcludeFromDescription();
    }

    private static FileStreamHttpResult File(string name, string type) =>
        TypedResults.Stream(Resource(name), type);

    private static Stream Resource(string name) => typeof(LandingPage).Assembly.GetManifestResourceStream(name)!;
}
