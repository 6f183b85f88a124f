using LlmMarketplace.Gateway.Access;
using LlmMarketplace.Gateway.Docs;
using LlmMarketplace.Gateway.Landing;
using LlmMarketplace.Gateway.Limits;
using LlmMarketplace.Gateway.Readiness;
using LlmMarketplace.Gateway.Responses;
using LlmMarketplace.Gateway.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Gateway;

/// <summary>
/// START HERE. The one public door: what comes in is limited, named, authenticated and sent to the service that owns the path.
/// <code>
/// client ─► FrontDoor: request id, security headers, path guard, sizes, CORS, anonymous rate limit
///        ─► ServiceDefaults: problems, routing, tokens, policies
///        ─► /, /docs, /health          answered here
///        ─► /v1/**                     answered here, by Consumption's calls (Gateway.Host maps them)
///        ─► /api/v1/services/*/invoke  the same
///        ─► marketplace.v1.*           the same, by gRPC: HTTP/2 at the same address
///        ─► everything in RouteTable   forwarded by YARP to http://{service}
///        ─► anything else              refused; /internal/** as if it did not exist
/// </code>
/// </summary>
public static class GatewayService
{
    /// <summary>Adds the gateway. Call it after the service defaults.</summary>
    public static WebApplicationBuilder AddGateway(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<GatewayOptions>().BindConfiguration("Gateway").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<AnonymousLimitOptions>().BindConfiguration("Gateway:AnonymousLimit").ValidateDataAnnotations().ValidateOnStart();
        builder.AddAccess();
        builder.AddLimits();
        builder.AddResponses();
        builder.AddRouting();
        builder.AddReadiness();
        builder.Services.AddSingleton<IStartupFilter, FrontDoor>(); // Runs before everything that the host maps.
        return builder;
    }

    /// <summary>Maps the gateway's pages and routes. Call it after the service defaults.</summary>
    public static WebApplication MapGateway(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapLanding();
        app.MapDocs();
        app.MapUnknownCalls();
        app.MapRoutes();
        return app;
    }
}
