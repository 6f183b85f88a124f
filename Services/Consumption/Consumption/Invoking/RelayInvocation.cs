using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>
/// Passes on what the provider of a <c>rest</c> service answers, as it is: status, body and the headers that belong to the body. Events pass as they come (<see cref="RelayBinary"/>);
/// everything else is read whole and settled first. A 2xx is charged; a 4xx is the caller's to mend, and costs nothing.
/// </summary>
internal sealed class RelayInvocation(SettleCall settle, RelayBinary binaries, InstanceLease lease, IOptions<CallOptions> options)
{
    /// <summary>The headers that belong to an answer, besides its type.</summary>
    public static readonly string[] Passed = ["Content-Language", "Content-Disposition", "ETag", "Last-Modified"];

    /// <summary>Whether an answer is the service's own word. The rest of them speak of the provider itself, or to the marketplace, whose credential was sent.</summary>
    public static bool IsAnswer(int status) => status is (>= 200 and < 300) or (>= 400 and < 500 and not (401 or 402 or 403 or 407 or 429));

    /// <summary>Passes the answer on; or, when nothing of it could be, the reason.</summary>
    public async Task<CallRefusal?> RunAsync(Call call, HttpResponseMessage answer, CallClock clock, CancellationToken stop)
    {
        var status = (int)answer.StatusCode;
        var isRefusal = status >= 400;
        SetHeaders(call.Http.Response, answer);
        if (!isRefusal && answer.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            return await binaries.RunAsync(call, answer, clock, stop);
        }

        clock.AwaitRest();
        using var body = await WholeAnswer.ReadAsync(answer, options.Value.MaxAnswerBytes, stop);
        if (body is null)
        {
            return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is larger than the marketplace passes on.");
        }

        if (!lease.Holds(call.Admission!.InstanceId))
        {
            return new CallRefusal(CallFailure.NotReady, RelayAnswer.Fenced); // Others may have settled this call.
        }

        var type = answer.Content.Headers.ContentType?.ToString();
        call.Copy?.Take(type ?? "", body.Memory.Span, status);
        if (isRefusal)
        {
            await settle.SettleAsync(call, CallOutcome.NotCharged(RequestOutcome.RefusedByProvider, status));
        }
        else
        {
            call.Route!.Health.Succeeded();
            var (outcome, told) = call.Left.IsCancellationRequested ? (RequestOutcome.Abandoned, 0) : (RequestOutcome.Completed, status);
            await settle.SettleAsync(call, new CallOutcome(outcome, told, default(TokenUsage), Counted: false));
        }

        await SendAsync(call, status, type, body.Memory);
        return null;
    }

    private static void SetHeaders(HttpResponse response, HttpResponseMessage answer)
    {
        foreach (var name in Passed)
        {
            if (answer.Headers.NonValidated.TryGetValues(name, out var values) || answer.Content.Headers.NonValidated.TryGetValues(name, out values))
            {
                response.Headers[name] = values.ToString();
            }
        }
    }

    private static async Task SendAsync(Call call, int status, string? type, ReadOnlyMemory<byte> body)
    {
        var response = call.Http.Response;
        response.StatusCode = status;
        if (status is StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent)
        {
            return;
        }

        response.ContentType = type;
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, call.Left);
    }
}
