using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Gateway.Responses;

/// <summary>What the framework itself refuses below <c>/v1</c> (an exception, a challenge, a status without a body), in OpenAI's shape.</summary>
internal sealed class CallErrorWriter : IProblemDetailsWriter
{
    public bool CanWrite(ProblemDetailsContext context) => Refusal.IsCall(context.HttpContext.Request);

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var problem = context.ProblemDetails;
        var status = context.HttpContext.Response.StatusCode;
        var code = problem.Extensions.TryGetValue("code", out var known) && known is string text ? text : CodeOf(status);
        await Refusal.WriteAsync(context.HttpContext, status, code, problem.Detail ?? DetailOf(status));
    }

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "invalid_api_key",
        StatusCodes.Status404NotFound => "unknown_url",
        StatusCodes.Status405MethodNotAllowed => "method_not_allowed",
        StatusCodes.Status413PayloadTooLarge => "too_large",
        StatusCodes.Status415UnsupportedMediaType => "unsupported_media_type",
        < 500 => "invalid_request",
        _ => "internal_error",
    };

    private static string DetailOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "Bring an API key: Authorization: Bearer llm_mk_….",
        StatusCodes.Status415UnsupportedMediaType => "Send the body as application/json.",
        < 500 => "The request cannot be taken.",
        _ => "The marketplace failed. The fault is ours; nothing was charged.",
    };
}
