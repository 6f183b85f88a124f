using LlmMarketplace.Identity.Start;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.HttpOverrides;

namespace LlmMarketplace.Identity.Access;

/// <summary>
/// What comes before everything else: requests arrive on an internal address from the gateway, but belong to the public address. So
/// 1. the caller's address is what a trusted proxy says; 2. scheme and host are the issuer's, whatever the request says; 3. the limits per address apply.
/// </summary>
internal sealed class PublicAddress(IOptions<IssuerOptions> options) : IStartupFilter
{
    private static readonly string[] PrivateNetworks = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        var issuer = options.Value.Issuer!;
        var host = HostString.FromUriComponent(issuer);
        var forwarded = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor, ForwardLimit = 1 };
        forwarded.KnownProxies.Clear();
        forwarded.KnownIPNetworks.Clear();
        foreach (var network in options.Value.TrustedProxies is { Count: > 0 } trusted ? trusted : [.. PrivateNetworks])
        {
            forwarded.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
        }

        app.UseForwardedHeaders(forwarded);
        app.Use((context, rest) =>
        {
            context.Request.Scheme = issuer.Scheme;
            context.Request.Host = host;
            return rest(context);
        });
        app.UseRateLimiter();
        next(app);
    };
}
