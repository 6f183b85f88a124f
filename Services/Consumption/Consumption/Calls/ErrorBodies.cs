using System.Text.Encodings.Web;
using System.Text.Json;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Refusals as the protocol in use writes them.</summary>
internal static class ErrorBodies
{
    // These are read by people too, in terminals: `gpt-4o`, not \u0060gpt-4o\u0060. They are sent as JSON, and never stand in a page.
    private static readonly JsonSerializerOptions Readable = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions SnakeCase = new(Readable) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>A refusal as the caller of a call reads it.</summary>
    public static (string ContentType, ReadOnlyMemory<byte> Body) Whole(Call call, CallRefusal refusal) => call.Surface == Surface.Invoke
        ? ("application/problem+json", JsonSerializer.SerializeToUtf8Bytes(Problem(refusal).ProblemDetails, Readable))
        : ("application/json", Surface.IsAnthropic(call.Http.Request) ? Anthropic(refusal, call.Id.ToString()) : OpenAi(refusal));

    /// <summary>OpenAI: <c>{"error":{"message","type","param","code"}}</c>.</summary>
    public static byte[] OpenAi(CallRefusal refusal)
    {
        var error = CallErrors.Of(refusal.Failure);
        return JsonSerializer.SerializeToUtf8Bytes(new { error = new { message = refusal.Detail ?? error.Message, type = error.Type, param = refusal.Param, code = error.Code } }, SnakeCase);
    }

    /// <summary>Anthropic: <c>{"type":"error","error":{"type","message"},"request_id"}</c>. By the <c>details</c> of a refused <c>thread</c> its clients know that they may send the whole conversation, and do.</summary>
    public static byte[] Anthropic(CallRefusal refusal, string? requestId)
    {
        var error = CallErrors.Of(refusal.Failure);
        var (type, message) = (AnthropicType(error.Status), refusal.Detail ?? error.Message);
        return refusal.Failure == CallFailure.ThreadsNotKept
            ? JsonSerializer.SerializeToUtf8Bytes(new { type = "error", error = new { type, message, details = new { errorCode = "thread_unsupported_request", unsupported = Array.Empty<string>() } }, requestId }, SnakeCase)
            : JsonSerializer.SerializeToUtf8Bytes(new { type = "error", error = new { type, message }, requestId }, SnakeCase);
    }

    /// <summary>RFC 9457: a problem with a stable <c>code</c>, and with <c>issues</c> where the request has several.</summary>
    public static ProblemHttpResult Problem(CallRefusal refusal)
    {
        var error = CallErrors.Of(refusal.Failure);
        return Problems.Of(error.Status, error.Code, refusal.Detail ?? error.Message, refusal.Issues.Count == 0 ? [] : [KeyValuePair.Create("issues", (object?)refusal.Issues)]);
    }

    /// <summary>The last event of a stream that cannot go on.</summary>
    /// <param name="dialect">The stream's.</param>
    /// <param name="refusal">Why.</param>
    /// <param name="sequence">Its place among the events, for Responses.</param>
    public static byte[] Event(Dialect dialect, CallRefusal refusal, long sequence)
    {
        switch (dialect)
        {
            case Dialect.Messages:
                return [.. "event: error\ndata: "u8, .. Anthropic(refusal, null), .. "\n\n"u8];
            case Dialect.Responses:
                var error = CallErrors.Of(refusal.Failure);
                var data = JsonSerializer.SerializeToUtf8Bytes(new { type = "error", code = error.Code, message = refusal.Detail ?? error.Message, param = refusal.Param, sequenceNumber = sequence }, SnakeCase);
                return [.. "event: error\ndata: "u8, .. data, .. "\n\n"u8];
            default:
                return [.. "data: "u8, .. OpenAi(refusal), .. "\n\n"u8];
        }
    }

    // https://docs.anthropic.com/en/api/errors
    private static string AnthropicType(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => "authentication_error",
        StatusCodes.Status402PaymentRequired => "billing_error",
        StatusCodes.Status403Forbidden => "permission_error",
        StatusCodes.Status404NotFound => "not_found_error",
        StatusCodes.Status413PayloadTooLarge => "request_too_large",
        StatusCodes.Status429TooManyRequests => "rate_limit_error",
        StatusCodes.Status504GatewayTimeout => "timeout_error",
        StatusCodes.Status503ServiceUnavailable => "overloaded_error",
        >= 500 => "api_error",
        _ => "invalid_request_error",
    };
}
