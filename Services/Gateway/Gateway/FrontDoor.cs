using LlmMarketplace.Gateway.Limits;
using LlmMarketplace.Gateway.Responses;
using LlmMarketplace.Gateway.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace LlmMarketplace.Gateway;

/// <summary>What every request passes before anything else looks at it. The order matters: what refuses needs the id and the headers of those before it.</summary>
internal sealed class FrontDoor : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.UseTrustedProxies();
        app.UseMiddleware<RequestIds>();
        app.UseMiddleware<SecurityHeaders>();
        app.UseExceptionHandler();
        app.UseMiddleware<PathGuard>();
        app.UseMiddleware<BarePaths>();
        app.UseMiddleware<RequestSizeGuard>();
        app.UseConfiguredCors();
        app.UseAuthentication(); // The rate limit is for those who have not shown who they are.
        app.UseRateLimiter();
        next(app);
    };
}
