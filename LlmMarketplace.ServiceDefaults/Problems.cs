using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>RFC 9457 problems with a stable <c>code</c>, whoever refuses: a handler, the framework, or an exception that nobody expected.</summary>
internal static class ProblemsExtensions
{
    public static void AddProblems(this WebApplicationBuilder builder) =>
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            var problem = context.ProblemDetails;
            problem.Extensions.TryAdd("code", CodeOf(problem.Status ?? StatusCodes.Status500InternalServerError));
            problem.Detail ??= DetailOf(problem.Status, context.HttpContext);
            problem.Extensions["traceId"] = Activity.Current?.TraceId.ToString() ?? context.HttpContext.TraceIdentifier;
        });

    /// <summary>What to do about a refusal of the framework, which says nothing but the status.</summary>
    private static string? DetailOf(int? status, HttpContext http) => status switch
    {
        StatusCodes.Status401Unauthorized => "Send an access token (POST /connect/token), or an API key where one is taken, as `Authorization: Bearer …`.",
        StatusCodes.Status404NotFound => "There is nothing at this address: /docs shows what there is.",
        StatusCodes.Status405MethodNotAllowed => $"This address is called by {http.Response.Headers.Allow}.",
        StatusCodes.Status415UnsupportedMediaType => "The body must be JSON: send it with `Content-Type: application/json`.",
        _ => null,
    };

    private static string CodeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest => "invalid_request",
        StatusCodes.Status401Unauthorized => "unauthenticated",
        StatusCodes.Status403Forbidden => "forbidden",
        StatusCodes.Status404NotFound => "not_found",
        StatusCodes.Status405MethodNotAllowed => "method_not_allowed",
        StatusCodes.Status413PayloadTooLarge => "too_large",
        StatusCodes.Status415UnsupportedMediaType => "unsupported_media_type",
        StatusCodes.Status429TooManyRequests => "rate_limited",
        StatusCodes.Status502BadGateway => "bad_gateway",
        StatusCodes.Status503ServiceUnavailable => "unavailable",
        StatusCodes.Status504GatewayTimeout => "timeout",
        < 500 => "refused",
        _ => "internal_error",
    };
}
