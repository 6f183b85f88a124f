using System.Globalization;
using LlmMarketplace.Gateway.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Scalar.AspNetCore;
using Yarp.ReverseProxy.Configuration;

namespace LlmMarketplace.Gateway.Docs;

/// <summary>
/// <c>/docs</c>: the API reference of all services in one page (Scalar, from the package's own files: no content network), and <c>/docs/{service}.json</c>, each service's
/// OpenAPI document as the service makes it; <c>gateway</c> is this process's own, with the calls below <c>/v1</c>.
/// </summary>
internal static class ApiReference
{
    // 'unsafe-inline' is for styles only: Scalar's components add theirs as they appear. Scripts run by nonce.
    private static string Policy(string nonce) =>
        $"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
        "connect-src 'self'; worker-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

    /// <summary>The public address of a service's document.</summary>
    public static RouteConfig DocumentRoute(string service) => new()
    {
        RouteId = "docs " + service,
        ClusterId = service,
        AuthorizationPolicy = "anonymous",
        Match = new RouteMatch { Path = $"/docs/{service}.json", Methods = [HttpMethods.Get] },
        Transforms = [new Dictionary<string, string> { ["PathSet"] = "/openapi/v1.json" }],
    };

    public static void MapDocs(this WebApplication app)
    {
        app.MapGet("/docs/gateway.json", OwnDocument).AllowAnonymous().ExcludeFromDescription();
        app.MapScalarApiReference("/docs", (options, context) =>
        {
            options.WithTitle("LlmMarketplace API").WithNonce().DisableTelemetry().DisableAgent().DisableMcp().HideDeveloperTools();
            options.WithOpenApiRoutePattern("/docs/{documentName}.json").HideClientButton = true;
            (options.DefaultFonts, options.Favicon) = (false, "/icon.svg");
            options.AddDocument("gateway", "Calls (/v1)", "/docs/gateway.json", isDefault: true);
            foreach (var service in RouteTable.Services)
            {
                options.AddDocument(service, CultureInfo.InvariantCulture.TextInfo.ToTitleCase(service), $"/docs/{service}.json");
            }

            context.Response.OnStarting(() =>
            {
                if (context.Items[ScalarOptions.NonceHttpContextItemKey] is string nonce)
                {
                    context.Response.Headers.ContentSecurityPolicy = Policy(nonce);
                }

                return Task.CompletedTask;
            });
        }).AllowAnonymous();
    }

    private static async Task<IResult> OwnDocument(HttpContext context, CancellationToken cancellationToken)
    {
        var document = await context.RequestServices.GetRequiredKeyedService<IOpenApiDocumentProvider>("v1").GetOpenApiDocumentAsync(cancellationToken);
        return TypedResults.Text(await document.SerializeAsync(OpenApiSpecVersion.OpenApi3_1, OpenApiConstants.Json, cancellationToken), "application/json");
    }
}
