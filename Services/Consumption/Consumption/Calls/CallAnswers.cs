using System.Globalization;
using System.Text.Json;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>What every answer to a call carries, and errors in the shape of the protocol in use; below <c>/api</c> as problems (RFC 9457).</summary>
internal static class CallAnswers
{
    private static readonly JsonSerializerOptions SnakeCase = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The call's id, as <c>x-request-id</c>; where Anthropic's clients look for it too.</summary>
    public static void SetRequestId(HttpContext http, Guid id)
    {
        var text = id.ToString();
        http.Response.Headers["x-request-id"] = text;
        if (Surface.IsAnthropic(http.Request))
        {
            http.Response.Headers["request-id"] = text;
        }
    }

    /// <summary>The rate limits as this call left them, and when a deprecated version ends (RFC 8594).</summary>
    public static void SetHeaders(Call call)
    {
        SetRequestId(call.Http, call.Id);
        var headers = call.Http.Response.Headers;
        if (call.Plan is { } plan)
        {
            headers["x-marketplace-model"] = $"{plan.Version.Listing.Name}@{plan.Version.Number}"; // Of a range, a preference or a fallback nobody else can say.
        }

        if (call.Plan?.Translated is { Dropped: { Count: > 0 } dropped })
        {
            headers["x-marketplace-dropped"] = string.Join(", ", dropped);
        }

        if (call.First is { } first)
        {
            headers["x-marketplace-fallback-from"] = first.Id.ToString();
        }

        if (call.Limits is { } limits)
        {
            Set(headers, "requests", limits.Requests);
            Set(headers, "tokens", limits.Tokens);
            if (call.WantsCost && limits.BudgetLeft is { } left)
            {
                headers["x-marketplace-budget-remaining"] = Amount(left / Price.NanosPerUnit);
            }
        }

        headers.Remove("Sunset");
        if (call.Plan?.Version.SunsetAt is { } sunset)
        {
            headers["Sunset"] = sunset.UtcDateTime.ToString("R", CultureInfo.InvariantCulture);
        }
    }

    /// <summary>
    /// What the call cost, and what is left of the budgets now, the least of them; for callers who ask. A stream has sent its headers by then: they told what was left
    /// with its reservation.
    /// </summary>
    public static void SetCost(Call call, UsageRecord record)
    {
        if (!call.WantsCost || call.Http.Response.HasStarted)
        {
            return;
        }

        var headers = call.Http.Response.Headers;
        headers["x-marketplace-cost"] = Amount(record.Cost);
        headers["x-marketplace-currency"] = record.Currency;
        if (call.Limits?.BudgetLeft is { } left)
        {
            headers["x-marketplace-budget-remaining"] = Amount(Math.Max(0, left + call.Admission!.ReservedNanos - record.Nanos) / Price.NanosPerUnit);
        }
    }

    private static string Amount(decimal amount) => amount.ToString("0.##################", CultureInfo.InvariantCulture);

    private static void Set(IHeaderDictionary headers, string what, RateState rate)
    {
        if (rate.Limit > 0)
        {
            headers[$"x-ratelimit-limit-{what}"] = Text(rate.Limit);
            headers[$"x-ratelimit-remaining-{what}"] = Text(rate.Remaining);
            headers[$"x-ratelimit-reset-{what}"] = Text(rate.FullIn);
        }
    }

    public static async Task RefuseAsync(HttpContext http, CallRefusal refusal)
    {
        var error = CallErrors.Of(refusal.Failure);
        var headers = http.Response.Headers;
        if (error.Status == StatusCodes.Status401Unauthorized)
        {
            headers.WWWAuthenticate = "Bearer";
        }

        if (refusal.RetryAfter is { } wait)
        {
            headers.RetryAfter = Text((long)Math.Max(1, Math.Ceiling(wait.TotalSeconds)));
            if (error.Waiting == true)
            {
                headers["retry-after-ms"] = Text((long)Math.Ceiling(wait.TotalMilliseconds)); // The OpenAI clients prefer it.
            }
        }

        if (refusal.Failure == CallFailure.Stopping)
        {
            headers.Connection = "close"; // The next connection leads elsewhere.
        }

        if (error.Waiting == false)
        {
            headers["x-should-retry"] = "false";
        }

        if (http.Features.Get<ITakeRefusals>() is { } taker)
        {
            taker.Refuse(refusal);
            return;
        }

        if (http.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase))
        {
            await ErrorBodies.Problem(refusal).ExecuteAsync(http);
            return;
        }

        http.Response.StatusCode = error.Status;
        http.Response.ContentType = "application/json";
        var body = Surface.IsAnthropic(http.Request) ? ErrorBodies.Anthropic(refusal, headers["x-request-id"]) : ErrorBodies.OpenAi(refusal);
        await http.Response.Body.WriteAsync(body, http.RequestAborted);
    }

    public static Task WriteJsonAsync<T>(HttpContext http, T value) => http.Response.WriteAsJsonAsync(value, SnakeCase, http.RequestAborted);

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>As OpenAI writes durations: <c>12ms</c>, <c>1.5s</c>, <c>2m3s</c>.</summary>
    internal static string Text(TimeSpan span) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(span.TotalMilliseconds < 1_000 ? $"{(long)span.TotalMilliseconds}ms" : span.TotalSeconds < 60 ? $"{Math.Round(span.TotalSeconds, 3)}s" : $"{(long)span.TotalMinutes}m{span.Seconds}s")}");
}

/// <summary>A feature of requests whose refusals are not written into a body: who led the call here says them in its own way.</summary>
internal interface ITakeRefusals
{
    void Refuse(CallRefusal refusal);
}
