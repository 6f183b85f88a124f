using LlmMarketplace.Gateway.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace LlmMarketplace.Gateway.Routing;

/// <summary>A call that could not be forwarded is answered with a problem that says whose fault it was.</summary>
internal sealed partial class ForwardFailures(RequestDelegate next, ILogger<ForwardFailures> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);
        if (context.GetForwarderErrorFeature() is not { } failure)
        {
            return;
        }

        var service = context.GetReverseProxyFeature().Cluster.Config.ClusterId.Split(' ')[0];
        if (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }

        Log.Failed(logger, service, failure.Error, failure.Exception?.GetBaseException().Message);
        if (context.Response.HasStarted)
        {
            return; // YARP has aborted the connection: the client sees a cut answer, not a short one.
        }

        var (status, code, detail) = Describe(failure, service, context.Response.StatusCode);
        await Refusal.WriteAsync(context, status, code, detail);
    }

    private static (int Status, string Code, string Detail) Describe(IForwarderErrorFeature failure, string service, int status) => failure.Error switch
    {
        ForwarderError.NoAvailableDestinations =>
            (StatusCodes.Status503ServiceUnavailable, "unavailable", $"No instance of {service} is known. Try again shortly."),
        ForwarderError.Request when failure.Exception is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } =>
            (StatusCodes.Status503ServiceUnavailable, "unavailable", $"{service} cannot be reached. Try again shortly."),
        ForwarderError.RequestTimedOut or ForwarderError.RequestCanceled or ForwarderError.ResponseHeaders when failure.Exception is TimeoutException or OperationCanceledException =>
            (StatusCodes.Status504GatewayTimeout, "timeout", $"{service} did not answer in time."),
        ForwarderError.RequestTimedOut =>
            (StatusCodes.Status504GatewayTimeout, "timeout", $"{service} did not answer in time."),
        ForwarderError.RequestBodyClient when status == StatusCodes.Status413PayloadTooLarge || failure.Exception is BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
            (StatusCodes.Status413PayloadTooLarge, "too_large", "The request body is larger than this server takes."),
        ForwarderError.RequestBodyClient =>
            (StatusCodes.Status400BadRequest, "invalid_request", "The request body could not be read to its end."),
        _ => (StatusCodes.Status502BadGateway, "bad_gateway", $"{service} broke the connection off or sent what is no answer."),
    };

    private static partial class Log
    {
        [LoggerMessage(7001, LogLevel.Warning, "A call to {Service} could not be forwarded ({Error}): {Reason}")]
        public static partial void Failed(ILogger logger, string service, ForwarderError error, string? reason);
    }
}
