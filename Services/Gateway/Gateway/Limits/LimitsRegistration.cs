using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Gateway.Limits;

/// <summary>How much one request, and one stranger, may take.</summary>
internal static class LimitsExtensions
{
    public static void AddLimits(this WebApplicationBuilder builder)
    {
        builder.Services.AddRateLimiter(_ => { });
        builder.Services.AddSingleton<IConfigureOptions<RateLimiterOptions>, AnonymousLimit>();
        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<GatewayOptions>>(static (kestrel, options) =>
        {
            kestrel.Limits.MaxRequestBodySize = options.Value.MaxRequestBytes;
            kestrel.Limits.MaxRequestHeaderCount = options.Value.MaxHeaderCount;
            kestrel.Limits.MaxRequestHeadersTotalSize = options.Value.MaxHeaderBytes;
            kestrel.Limits.RequestHeadersTimeout = options.Value.HeaderTimeout;
        });
    }
}
