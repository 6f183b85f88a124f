using System.Net;
using LlmMarketplace.Gateway.Access;
using LlmMarketplace.Gateway.Docs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.ServiceDiscovery;
using Yarp.ReverseProxy.Transforms;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>Turns <see cref="RouteTable"/> into YARP's routes: two per path, for calls and for streams of events, which may be silent for longer.</summary>
internal static class RoutingExtensions
{
    private const string EventStream = "text/event-stream";

    public static void AddRouting(this WebApplicationBuilder builder)
    {
        var options = builder.Configuration.GetSection("Gateway").Get<GatewayOptions>() ?? new GatewayOptions();
        builder.Logging.AddFilter("Yarp.ReverseProxy.Forwarder", LogLevel.Error); // ForwardFailures says it once, and shorter.
        builder.Services.AddServiceDiscovery();
        builder.Services.AddSingleton<IDestinationResolver, ServiceDestinations>();
        builder.Services.AddReverseProxy()
            .LoadFromMemory(Routes(), Clusters(options))
            .ConfigureHttpClient((_, handler) =>
            {
                handler.UseProxy = false; // Services are neighbours: an outbound proxy of the machine has no business here.
                handler.AllowAutoRedirect = false;
                handler.ConnectTimeout = TimeSpan.FromSeconds(5);
            })
            .AddTransforms(context =>
            {
                context.AddRequestTransform(KeepEncodedSlashes);
                context.AddOriginalHost(); // Identity builds its redirects from it.
                context.AddXForwarded(ForwardedTransformActions.Set); // What a client claims about hops was dropped by RequestIds.
                context.AddResponseHeaderRemove("Server", ResponseCondition.Always);
                context.AddResponseHeaderRemove("X-Powered-By", ResponseCondition.Always);
            });
    }

    public static void MapRoutes(this WebApplication app) =>
        app.MapReverseProxy(pipeline =>
        {
            pipeline.UseMiddleware<ForwardFailures>();
            pipeline.UseLoadBalancing();
        });

    // A name such as acme/chat travels as acme%2Fchat, which the server leaves alone and YARP would encode once more. The path guard has seen to it that there is nothing else in it.
    private static ValueTask KeepEncodedSlashes(RequestTransformContext context)
    {
        var isUnchanged = context.Path == context.HttpContext.Request.Path && context.Path.Value?.Contains('%', StringComparison.Ordinal) == true;
        if (isUnchanged && context.HttpContext.Features.Get<IHttpRequestFeature>()?.RawTarget is ['/', ..] target)
        {
            context.ProxyRequest.RequestUri = new Uri(new Uri(context.DestinationPrefix), target);
        }

        return ValueTask.CompletedTask;
    }

    private static List<RouteConfig> Routes()
    {
        var routes = new List<RouteConfig>();
        foreach (var route in RouteTable.Routes)
        {
            var policy = route.Audience switch
            {
                Audience.Anybody => "anonymous",
                Audience.Token => "default",
                _ => ApiKeys.TokenOrKeyPolicy,
            };
            var path = $"{route.Path}/{{**rest}}";
            routes.Add(new RouteConfig { RouteId = route.Path, ClusterId = route.Service, AuthorizationPolicy = policy, Match = new RouteMatch { Path = path } });
            routes.Add(new RouteConfig
            {
                RouteId = route.Path + " events",
                ClusterId = route.Service + " events",
                AuthorizationPolicy = policy,
                Match = new RouteMatch
                {
                    Path = path,
                    Headers = [new RouteHeader { Name = "Accept", Values = [EventStream], Mode = HeaderMatchMode.Contains }],
                },
            });
        }

        routes.AddRange(RouteTable.Services.Select(ApiReference.DocumentRoute));
        return routes;
    }

    private static List<ClusterConfig> Clusters(GatewayOptions options)
    {
        var clusters = new List<ClusterConfig>();
        foreach (var service in RouteTable.Services)
        {
            clusters.Add(Cluster(service, service, options.ServiceTimeout));
            clusters.Add(Cluster(service + " events", service, options.StreamTimeout));
        }

        return clusters;
    }

    private static ClusterConfig Cluster(string id, string service, TimeSpan silence) => new()
    {
        ClusterId = id,
        Destinations = new Dictionary<string, DestinationConfig> { [service] = new() { Address = $"http://{service}" } },
        HttpRequest = new ForwarderRequestConfig
        {
            ActivityTimeout = silence,
            Version = HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        },
    };
}
