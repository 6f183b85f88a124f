namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// When the models that a caller named besides the first (<c>models</c>) are called: when the one before was not at fault of the caller's, and nothing of its answer has left. Never
/// silently dearer: one whose price for this call can be higher than the first one's is passed over, unless the header <c>x-marketplace-allow-dearer: true</c> says otherwise.
/// </summary>
internal static class Fallback
{
    private const string AllowDearer = "x-marketplace-allow-dearer";

    /// <summary>Whether the next model may be called after this.</summary>
    public static bool Follows(CallRefusal refusal) => refusal.Failure is
        CallFailure.ProviderUnavailable or CallFailure.ProviderFailed or CallFailure.ProviderRateLimited or CallFailure.ProviderMisconfigured
        or CallFailure.ProviderConnectTimeout or CallFailure.ProviderFirstByteTimeout or CallFailure.ProviderIdleTimeout or CallFailure.ProviderTimeout
        or CallFailure.ServiceSuspended or CallFailure.ModelRetired or CallFailure.DearerFallback;

    /// <summary>Refuses a dearer one, both by the bytes of their input: tokens are not counted before a limit refuses. Where the first has no price, any is dearer.</summary>
    public static CallRefusal? Check(Call call) =>
        call is { First: { } first, Plan: { } plan } && !(call.MostNanos <= first.MostNanos) && call.Http.Request.Headers[AllowDearer] != "true"
            ? new CallRefusal(CallFailure.DearerFallback, $"`{plan.Version.Listing.Name}` may cost more than `{first.Model}`: allow it by the header {AllowDearer}: true.", "models")
            : null;
}
