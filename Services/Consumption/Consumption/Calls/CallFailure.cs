using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Whose fault a failure is; only what the provider delivered is ever charged.</summary>
internal enum Fault
{
    /// <summary>The caller's.</summary>
    Client,

    /// <summary>The provider's.</summary>
    Provider,

    /// <summary>Ours.</summary>
    Us,
}

/// <summary>Every way in which a call can fail. Closed; <see cref="CallErrors"/> says how each looks from outside.</summary>
internal enum CallFailure
{
    MissingKey,
    InvalidKey,
    TooManyWrongKeys,
    ExpiredKey,
    RevokedKey,
    SuspendedKey,
    OrganisationSuspended,
    BodyTooLarge,
    BodyTooSlow,
    UnsupportedMediaType,
    InvalidBody,
    InvalidForm,
    WantsForm,
    InvalidField,
    DuplicateField,
    ModelNotFound,
    ServiceNotFound,
    InvalidInvocation,
    ModelRetired,
    ServiceSuspended,
    OutOfScope,
    NotForSale,
    NotPriced,
    InvalidIdempotencyKey,
    IdempotencyKeyReused,
    IdempotencyInProgress,
    AnswerNotKept,
    Untranslatable,
    ThreadsNotKept,
    DearerFallback,
    UnsupportedOperation,
    MonthlyTokens,
    OrganisationBudget,
    KeyBudget,
    EndUserBudget,
    Concurrency,
    RequestRate,
    TokenRate,
    LargerThanTokenRate,
    NotReady,
    Stopping,
    ProviderUnavailable,
    ProviderFailed,
    ProviderConnectTimeout,
    ProviderFirstByteTimeout,
    ProviderIdleTimeout,
    ProviderTimeout,
    ProviderRateLimited,
    ProviderMisconfigured,
    UnknownRoute,
    WrongMethod,
    NoSuchCall,
    ResponseNotFound,
    PreviousResponseNotFound,
    KeptElsewhere,
    Internal,
}

/// <summary>A failure with what is particular about it.</summary>
/// <param name="Failure">Which.</param>
/// <param name="Detail">A sentence that says more than the general one, or null.</param>
/// <param name="Param">The request's field at fault, or null.</param>
/// <param name="RetryAfter">When to come back, or null.</param>
internal sealed record CallRefusal(CallFailure Failure, string? Detail = null, string? Param = null, TimeSpan? RetryAfter = null)
{
    /// <summary>Everything that is wrong with the request, where more than one thing can be; else empty.</summary>
    public IReadOnlyList<Issue> Issues { get; init; } = [];
}

/// <summary>How a failure looks from outside: OpenAI's types and codes where OpenAI has one.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Type">OpenAI's <c>type</c>.</param>
/// <param name="Code">Stable <c>code</c>.</param>
/// <param name="Message">For people.</param>
/// <param name="Fault">Whose fault it is.</param>
/// <param name="Waiting">Whether the same call may succeed later; false is said by <c>x-should-retry: false</c>.</param>
internal sealed record CallError(int Status, string Type, string Code, string Message, Fault Fault, bool? Waiting = null);

/// <summary>The one table of failures.</summary>
internal static class CallErrors
{
    private const string Invalid = "invalid_request_error";
    private const string Server = "server_error";
    private const string Provider = "provider_error";

    public static CallError Of(CallFailure failure) => failure switch
    {
        CallFailure.MissingKey => new(StatusCodes.Status401Unauthorized, Invalid, "missing_api_key", "No API key was given. Send it as `Authorization: Bearer llm_mk_…`.", Fault.Client),
        CallFailure.InvalidKey => new(StatusCodes.Status401Unauthorized, Invalid, "invalid_api_key", "The API key is not valid. Create one with POST /api/v1/keys.", Fault.Client),
        CallFailure.TooManyWrongKeys => new(StatusCodes.Status429TooManyRequests, "requests", "too_many_invalid_keys", "Too many invalid API keys came from your address.", Fault.Client, Waiting: true),
        CallFailure.ExpiredKey => new(StatusCodes.Status401Unauthorized, Invalid, "expired_api_key", "The API key has expired. Create a new one with POST /api/v1/keys.", Fault.Client),
        CallFailure.RevokedKey => new(StatusCodes.Status401Unauthorized, Invalid, "revoked_api_key", "The API key was revoked. Create a new one with POST /api/v1/keys.", Fault.Client),
        CallFailure.SuspendedKey => new(StatusCodes.Status403Forbidden, Invalid, "suspended_api_key", "The API key is suspended. Resume it with POST /api/v1/keys/{id}/resume.", Fault.Client),
        CallFailure.OrganisationSuspended => new(StatusCodes.Status403Forbidden, Invalid, "organisation_suspended", "The organisation of this API key is suspended.", Fault.Client),
        CallFailure.BodyTooLarge => new(StatusCodes.Status413PayloadTooLarge, Invalid, "request_too_large", "The request is too large.", Fault.Client),
        CallFailure.BodyTooSlow => new(StatusCodes.Status408RequestTimeout, Invalid, "request_timeout", "The request came too slowly.", Fault.Client, Waiting: true),
        CallFailure.UnsupportedMediaType => new(StatusCodes.Status415UnsupportedMediaType, Invalid, "unsupported_media_type", "The body must be application/json, UTF-8, without Content-Encoding.", Fault.Client),
        CallFailure.InvalidBody => new(StatusCodes.Status400BadRequest, Invalid, "invalid_json", "The body is not a JSON object.", Fault.Client),
        CallFailure.InvalidForm => new(StatusCodes.Status400BadRequest, Invalid, "invalid_form", "The body is not a form as it should be.", Fault.Client),
        CallFailure.WantsForm => new(StatusCodes.Status415UnsupportedMediaType, Invalid, "unsupported_media_type", "The body must be multipart/form-data, without Content-Encoding.", Fault.Client),
        CallFailure.InvalidField => new(StatusCodes.Status400BadRequest, Invalid, "invalid_value", "A field has a value that it cannot have.", Fault.Client),
        CallFailure.DuplicateField => new(StatusCodes.Status400BadRequest, Invalid, "duplicate_field", "A field that is metered is given twice.", Fault.Client),
        CallFailure.ModelNotFound => new(StatusCodes.Status404NotFound, Invalid, "model_not_found", "The model does not exist or you do not have access to it.", Fault.Client),
        CallFailure.ServiceNotFound => new(StatusCodes.Status404NotFound, Invalid, "not_found", "The service does not exist, or you may not see it.", Fault.Client),
        CallFailure.InvalidInvocation => new(StatusCodes.Status400BadRequest, Invalid, "invalid_request", "The request is not what the service's OpenAPI document asks for.", Fault.Client),
        CallFailure.ModelRetired => new(StatusCodes.Status404NotFound, Invalid, "model_retired", "The model is retired.", Fault.Client),
        CallFailure.ServiceSuspended => new(StatusCodes.Status403Forbidden, Invalid, "service_suspended", "The service is suspended.", Fault.Provider),
        CallFailure.OutOfScope => new(StatusCodes.Status403Forbidden, Invalid, "out_of_scope", "This API key's scopes leave the service out.", Fault.Client),
        CallFailure.NotForSale => new(StatusCodes.Status403Forbidden, Invalid, "no_price_for_tier", "The service has no price for your organisation's tier.", Fault.Provider),
        CallFailure.NotPriced => new(StatusCodes.Status400BadRequest, Invalid, "not_priced", "The request asks for something that costs apart and has no price.", Fault.Client),
        CallFailure.Untranslatable => new(StatusCodes.Status400BadRequest, Invalid, "unsupported_parameter", "The service speaks another protocol, which cannot say this.", Fault.Client),
        CallFailure.ThreadsNotKept => new(StatusCodes.Status400BadRequest, Invalid, "unsupported_parameter", "Threads are not kept here: send the whole conversation without `thread`.", Fault.Client),
        CallFailure.DearerFallback => new(StatusCodes.Status502BadGateway, Provider, "dearer_fallback", "The fallback is dearer than the model that failed.", Fault.Client),
        CallFailure.UnsupportedOperation => new(StatusCodes.Status400BadRequest, Invalid, "unsupported_operation", "The service cannot be called this way.", Fault.Client),
        CallFailure.InvalidIdempotencyKey => new(StatusCodes.Status400BadRequest, Invalid, "invalid_idempotency_key", "An Idempotency-Key has 1 to 255 printable characters of ASCII, and is given once.", Fault.Client),
        CallFailure.IdempotencyKeyReused => new(StatusCodes.Status422UnprocessableEntity, Invalid, "idempotency_key_reused", "This idempotency key was first sent with another body.", Fault.Client),
        CallFailure.IdempotencyInProgress => new(StatusCodes.Status409Conflict, Invalid, "idempotency_in_progress", "A call with this idempotency key is still running.", Fault.Client, Waiting: true),
        CallFailure.AnswerNotKept => new(StatusCodes.Status410Gone, Invalid, "idempotent_answer_not_kept", "The first call with this idempotency key was complete, but its answer is not kept.", Fault.Client, Waiting: false),
        CallFailure.MonthlyTokens => Quota("Your organisation's monthly tokens do not suffice for this call."),
        CallFailure.OrganisationBudget => Quota("Your organisation's budget does not suffice for this call."),
        CallFailure.KeyBudget => Quota("This API key's budget does not suffice for this call."),
        CallFailure.EndUserBudget => Quota("This end user's budget does not suffice for this call."),
        CallFailure.Concurrency => new(StatusCodes.Status429TooManyRequests, "requests", "concurrency_limit_exceeded", "Too many calls are open at once.", Fault.Client, Waiting: true),
        CallFailure.RequestRate => new(StatusCodes.Status429TooManyRequests, "requests", "rate_limit_exceeded", "Too many requests for your organisation's tier.", Fault.Client, Waiting: true),
        CallFailure.TokenRate => new(StatusCodes.Status429TooManyRequests, "tokens", "rate_limit_exceeded", "Too many tokens a minute for your organisation's tier.", Fault.Client, Waiting: true),
        CallFailure.LargerThanTokenRate => new(StatusCodes.Status429TooManyRequests, "tokens", "rate_limit_exceeded", "This call alone may use more tokens than your organisation's tier has in a minute: send less, or set a smaller max_tokens.", Fault.Client, Waiting: false),
        CallFailure.NotReady => new(StatusCodes.Status503ServiceUnavailable, Server, "not_ready", "Calls cannot be admitted right now: limits or records are not reachable.", Fault.Us, Waiting: true),
        CallFailure.Stopping => new(StatusCodes.Status503ServiceUnavailable, Server, "stopping", "This instance of the marketplace is stopping. Send the call again: another one takes it.", Fault.Us, Waiting: true),
        CallFailure.ProviderUnavailable => new(StatusCodes.Status503ServiceUnavailable, Provider, "provider_unavailable", "The provider cannot be reached.", Fault.Provider),
        CallFailure.ProviderFailed => new(StatusCodes.Status502BadGateway, Provider, "provider_error", "The provider failed.", Fault.Provider),
        CallFailure.ProviderConnectTimeout => new(StatusCodes.Status504GatewayTimeout, Provider, "provider_connect_timeout", "No connection to the provider came about in time.", Fault.Provider),
        CallFailure.ProviderFirstByteTimeout => new(StatusCodes.Status504GatewayTimeout, Provider, "provider_first_byte_timeout", "The provider did not begin to answer in time.", Fault.Provider),
        CallFailure.ProviderIdleTimeout => new(StatusCodes.Status504GatewayTimeout, Provider, "provider_idle_timeout", "The provider fell silent within its answer.", Fault.Provider),
        CallFailure.ProviderTimeout => new(StatusCodes.Status504GatewayTimeout, Provider, "provider_timeout", "The provider did not answer in time.", Fault.Provider),
        CallFailure.ProviderRateLimited => new(StatusCodes.Status429TooManyRequests, Provider, "provider_rate_limited", "The provider takes no more calls for now.", Fault.Provider, Waiting: true),
        CallFailure.ProviderMisconfigured => new(StatusCodes.Status502BadGateway, Provider, "provider_misconfigured", "The provider refused the marketplace itself: its credential, address or model id is not what the listing says.", Fault.Provider, Waiting: false),
        CallFailure.ResponseNotFound => new(StatusCodes.Status404NotFound, Invalid, "response_not_found", "There is no such response.", Fault.Client),
        CallFailure.PreviousResponseNotFound => new(StatusCodes.Status400BadRequest, Invalid, "previous_response_not_found", "There is no such response to go on from.", Fault.Client),
        CallFailure.KeptElsewhere => new(StatusCodes.Status400BadRequest, Invalid, "previous_response_elsewhere", "The response to go on from is kept by another service.", Fault.Client),
        CallFailure.NoSuchCall => new(StatusCodes.Status404NotFound, Invalid, "call_not_found", "This API key made no such call, or it has not ended: the record of a call is there a moment after its last byte.", Fault.Client),
        CallFailure.UnknownRoute => new(StatusCodes.Status404NotFound, Invalid, "unknown_url", "There is nothing at this address.", Fault.Client),
        CallFailure.WrongMethod => new(StatusCodes.Status405MethodNotAllowed, Invalid, "method_not_allowed", "This address is called by another method.", Fault.Client),
        _ => new(StatusCodes.Status500InternalServerError, Server, "internal_error", "Something of ours failed.", Fault.Us),
    };

    private static CallError Quota(string message) => new(StatusCodes.Status429TooManyRequests, "insufficient_quota", "insufficient_quota", message, Fault.Client, Waiting: false);
}
