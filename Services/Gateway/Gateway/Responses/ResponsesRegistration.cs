using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Gateway.Responses;

/// <summary>What stands on every answer, and how refusals look.</summary>
internal static class ResponsesExtensions
{
    private static readonly string[] Readable =
    [
        RequestIds.Header, RequestIds.ClientHeader, "retry-after", "sunset",
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    ];

    public static void AddResponses(this WebApplicationBuilder builder)
    {
        builder.Services.AddCors();
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IProblemDetailsWriter, CallErrorWriter>()); // The first writer that can, writes.
    }

    /// <summary>CORS is off unless origins are named; credentials are never allowed, for nothing here lives on cookies of other pages.</summary>
    public static void UseConfiguredCors(this IApplicationBuilder app)
    {
        var origins = app.ApplicationServices.GetRequiredService<IOptions<GatewayOptions>>().Value.CorsOrigins;
        if (origins.Length > 0)
        {
            app.UseCors(policy => policy.WithOrigins(origins).AllowAnyHeader().AllowAnyMethod().WithExposedHeaders(Readable).SetPreflightMaxAge(TimeSpan.FromHours(1)));
        }
    }

    /// <summary>Believes <c>X-Forwarded-For</c> and <c>X-Forwarded-Proto</c> of the load balancers that the operator named, and of nobody else.</summary>
    public static void UseTrustedProxies(this IApplicationBuilder app)
    {
        var networks = app.ApplicationServices.GetRequiredService<IOptions<GatewayOptions>>().Value.TrustedProxies;
        if (networks.Length == 0)
        {
            return;
        }

        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = 1 };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var network in networks)
        {
            options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
        }

        app.UseForwardedHeaders(options);
    }
}
