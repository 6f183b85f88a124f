using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>
/// Calls without <c>/v1</c> in front, as programs make them that come from gateways which take both (a base address of <c>http://host:4000</c> in OpenAI's clients): they are the same calls.
/// </summary>
internal sealed class BarePaths(RequestDelegate next)
{
    private static readonly PathString[] Calls =
    [
        "/chat/completions", "/completions", "/responses", "/embeddings", "/images/generations", "/audio/transcriptions", "/audio/translations", "/audio/speech", "/moderations", "/rerank", "/models",
    ];

    public Task InvokeAsync(HttpContext context)
    {
        var path = context.Request.Path;
        if (path.Value is not ['/', 'v', '1', ..] && Calls.Any(call => path.StartsWithSegments(call, StringComparison.OrdinalIgnoreCase)))
        {
            context.Request.Path = "/v1" + path;
        }

        return next(context);
    }
}
