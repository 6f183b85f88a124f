using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using LlmMarketplace.Consumption.Calls;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Rpc;

/// <summary>Refusals as gRPC writes them: https://google.aip.dev/193.</summary>
internal static class RpcErrors
{
    private const string Domain = "marketplace.v1";

    /// <param name="refusal">Why.</param>
    /// <param name="code">Its status, where it is another than the failure has elsewhere.</param>
    /// <param name="requestId">The call's id, or null when there is none.</param>
    public static RpcException Of(CallRefusal refusal, StatusCode? code, string? requestId)
    {
        var error = CallErrors.Of(refusal.Failure);
        var info = new ErrorInfo { Reason = error.Code, Domain = Domain };
        if (requestId is not null)
        {
            info.Metadata["request_id"] = requestId;
        }

        var status = new Google.Rpc.Status { Code = (int)(code ?? CodeOf(error.Status)), Message = refusal.Detail ?? error.Message, Details = { Any.Pack(info) } };
        if (refusal.RetryAfter is { } wait)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(wait) }));
        }

        var fields = refusal.Issues.Select(issue => new BadRequest.Types.FieldViolation { Field = issue.Path, Description = issue.Message }).ToList();
        if (fields.Count == 0 && refusal.Param is { } param && error.Fault == Fault.Client)
        {
            fields.Add(new BadRequest.Types.FieldViolation { Field = param, Description = status.Message });
        }

        if (fields.Count > 0)
        {
            status.Details.Add(Any.Pack(new BadRequest { FieldViolations = { fields } }));
        }

        return status.ToRpcException();
    }

    // https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto, by HTTP status.
    private static StatusCode CodeOf(int status) => status switch
    {
        StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
        StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
        StatusCodes.Status404NotFound => StatusCode.NotFound,
        StatusCodes.Status409Conflict => StatusCode.Aborted,
        StatusCodes.Status410Gone => StatusCode.FailedPrecondition,
        StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => StatusCode.ResourceExhausted,
        StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable => StatusCode.Unavailable,
        StatusCodes.Status504GatewayTimeout => StatusCode.DeadlineExceeded,
        >= 500 => StatusCode.Internal,
        _ => StatusCode.InvalidArgument,
    };
}
