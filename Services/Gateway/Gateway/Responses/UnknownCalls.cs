using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Responses;

/// <summary>What no call below <c>/v1</c> answers: said in OpenAI's shape, with what was asked for.</summary>
internal static class UnknownCalls
{
    public static void MapUnknownCalls(this WebApplication app) =>
        app.Map("/v1/{**rest}", static (HttpContext context) => Refusal.WriteAsync(
                context,
                StatusCodes.Status404NotFound,
                "unknown_url",
                $"There is no {context.Request.Method} {context.Request.Path} here. /docs lists what there is."))
            .AllowAnonymous()
            .ExcludeFromDescription();
}
