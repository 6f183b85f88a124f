using LlmMarketplace.Gateway.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Gateway.Limits;

/// <summary>Refuses a body that says it is too large before any of it is read; one that does not say is cut by Kestrel at the same size.</summary>
internal sealed class RequestSizeGuard(RequestDelegate next, IOptions<GatewayOptions> options)
{
    public Task InvokeAsync(HttpContext context)
    {
        var most = context.Request.Path.StartsWithSegments("/v1/audio", StringComparison.OrdinalIgnoreCase) ? options.Value.MaxAudioBytes : options.Value.MaxRequestBytes;
        return context.Request.ContentLength > most
            ? Refusal.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, "too_large", $"The request body is larger than {most} bytes.")
            : next(context);
    }
}
