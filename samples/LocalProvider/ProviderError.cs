using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.LocalProvider;

/// <summary>An error in the shape that OpenAI's clients read.</summary>
internal sealed record ProviderErrorBody(ProviderError Error);

/// <param name="Message">For people.</param>
/// <param name="Type">The family: <c>invalid_request_error</c>, <c>rate_limit_error</c>.</param>
/// <param name="Param">The field at fault, if one is.</param>
/// <param name="Code">For programs.</param>
internal sealed record ProviderError(string Message, string Type, string? Param, string? Code)
{
    public static JsonHttpResult<ProviderErrorBody> Result(int status, string message, string? param = null, string? code = null, string type = "invalid_request_error") =>
        TypedResults.Json(new ProviderErrorBody(new ProviderError(message, type, param, code)), LocalProviderApp.Json, statusCode: status);
}
