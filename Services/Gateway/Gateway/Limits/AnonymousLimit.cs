using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Threading.RateLimiting;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Gateway.Access;
using LlmMarketplace.Gateway.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Gateway.Limits;

/// <summary>How much one address may ask without showing who it is: section <c>Gateway:AnonymousLimit</c>.</summary>
internal sealed class AnonymousLimitOptions
{
    /// <summary>Requests at once.</summary>
    [Range(1, 100_000, ErrorMessage = "Gateway:AnonymousLimit:Burst must be between 1 and 100000.")]
    public int Burst { get; set; } = 200;

    /// <summary>Requests per second in the long run.</summary>
    [Range(1, 100_000, ErrorMessage = "Gateway:AnonymousLimit:PerSecond must be between 1 and 100000.")]
    public int PerSecond { get; set; } = 20;
}

/// <summary>
/// A token bucket per client address (an IPv6 client is its /64) for requests without a valid token. Calls by API key are limited by Consumption, per key and organisation;
/// <c>/health/live</c> costs nothing and is asked by machines.
/// </summary>
internal sealed class AnonymousLimit(IOptions<AnonymousLimitOptions> options) : IConfigureOptions<RateLimiterOptions>
{
    public void Configure(RateLimiterOptions limiter)
    {
        limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(Partition);
        limiter.OnRejected = static async (context, _) =>
        {
            var wait = context.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? Math.Max(1, (int)Math.Ceiling(after.TotalSeconds)) : 1;
            context.HttpContext.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
            await Refusal.WriteAsync(
                context.HttpContext,
                StatusCodes.Status429TooManyRequests,
                "rate_limited",
                $"Too many requests from your address without a valid token. Wait {wait} s, or bring a token.");
        };
    }

    private RateLimitPartition<string> Partition(HttpContext context)
    {
        var isKnown = context.User.Identity is { IsAuthenticated: true };
        var isCallByKey = IsCall(context.Request) && context.Request.BringsKey();
        if (isKnown || isCallByKey || context.Request.Path == "/health/live")
        {
            return RateLimitPartition.GetNoLimiter("");
        }

        return RateLimitPartition.GetTokenBucketLimiter(ClientAddress.Of(context.Connection.RemoteIpAddress), _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = options.Value.Burst,
            TokensPerPeriod = options.Value.PerSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        });
    }

    /// <summary>Whether Consumption's calls answer it, who limit keys themselves.</summary>
    private static bool IsCall(HttpRequest request) =>
        Refusal.IsCall(request) || request.Path.StartsWithSegments("/marketplace.v1.ConsumptionService", StringComparison.Ordinal) || (HttpMethods.IsPost(request.Method) && request.Path.StartsWithSegments("/api/v1/services", out var rest) && rest.Value!.EndsWith("/invoke", StringComparison.Ordinal));
}
