using System.Globalization;
using System.Threading.RateLimiting;
using LlmMarketplace.Identity.SignIn;
using LlmMarketplace.Identity.Start;
using Microsoft.AspNetCore.RateLimiting;

namespace LlmMarketplace.Identity.Access;

/// <summary>Limits per address on what anybody may call: the sign-in form and the token endpoint. Per instance; the accounts themselves are protected by the lock-out.</summary>
internal static class RateLimits
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    public static void AddRateLimits(this IServiceCollection services)
    {
        services.AddRateLimiter(limiter => limiter.RejectionStatusCode = StatusCodes.Status429TooManyRequests);
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<IssuerOptions>>((limiter, issuer) =>
        {
            var limits = issuer.Value.RateLimits;
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (string Endpoint, string Address)>(context => EndpointOf(context.Request) switch
            {
                null => RateLimitPartition.GetNoLimiter((Endpoint: "", Address: "")),
                { } endpoint => RateLimitPartition.GetFixedWindowLimiter(
                    (Endpoint: endpoint, Address: ClientAddress.Of(context.Connection.RemoteIpAddress)),
                    key => new FixedWindowRateLimiterOptions
                    {
                        PermitLimit = key.Endpoint == SignInPage.Path ? limits.SignInAttemptsPerMinute : limits.TokenRequestsPerMinute,
                        Window = Window,
                    }),
            });
            limiter.OnRejected = RefuseAsync;
        });
    }

    /// <summary>The limited endpoint that a request goes to, or null.</summary>
    private static string? EndpointOf(HttpRequest request)
    {
        if (!HttpMethods.IsPost(request.Method))
        {
            return null;
        }

        return request.Path.StartsWithSegments(SignInPage.Path, StringComparison.OrdinalIgnoreCase) ? SignInPage.Path
            : request.Path.StartsWithSegments("/connect/token", StringComparison.OrdinalIgnoreCase) || request.Path.StartsWithSegments("/connect/revoke", StringComparison.OrdinalIgnoreCase) ? "/connect/token"
            : null;
    }

    private static async ValueTask RefuseAsync(OnRejectedContext rejected, CancellationToken cancellationToken)
    {
        var context = rejected.HttpContext;
        var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : Window;
        var seconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers.RetryAfter = seconds;
        var endpoint = EndpointOf(context.Request)!;
        context.RequestServices.GetRequiredService<IdentityMetrics>().Limited(endpoint);
        if (endpoint == SignInPage.Path)
        {
            await Html.WriteAsync(context, "Too many attempts", $"<p>Please try again in {seconds} seconds.</p>", StatusCodes.Status429TooManyRequests).ConfigureAwait(false);
            return;
        }

        await Problems.Of(StatusCodes.Status429TooManyRequests, "rate_limited", $"Too many token requests from this address. Try again in {seconds} seconds; a token can be used for 10 minutes.")
            .ExecuteAsync(context).ConfigureAwait(false);
    }
}
