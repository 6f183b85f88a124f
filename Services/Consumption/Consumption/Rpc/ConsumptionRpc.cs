using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.V1;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Rpc;

/// <summary>
/// The calls by gRPC. There is one way of a call (<see cref="ServeCall"/>): each is led over it as the HTTP request that it stands for, and what that answers goes back.
/// </summary>
internal sealed class ConsumptionRpc(ServeCall calls, ReadStanding standing, TimeProvider time) : V1.ConsumptionService.ConsumptionServiceBase
{
    public override async Task RouteRequest(RouteRequestRequest request, IServerStreamWriter<RouteRequestResponse> responseStream, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        var isInvocation = request.Operation == Surface.Invoke.Name;
        var surface = isInvocation ? Surface.Invoke : Surface.All.FirstOrDefault(one => one.Name == request.Operation && !one.TakesForm);
        if (surface is null)
        {
            throw RpcErrors.Of(new CallRefusal(CallFailure.UnknownRoute, $"There is no operation `{request.Operation}` here; there are {Operations}.", "operation"), StatusCode.InvalidArgument, null);
        }

        var path = isInvocation ? Surface.Invoke.Path.Replace("{id}", Uri.EscapeDataString(request.ServiceId), StringComparison.Ordinal) : $"v1/{surface.Path}";
        using var led = new LedCall(http, "/" + path, request.Body.Memory, responseStream, context.CancellationToken);
        await calls.HandleAsync(led.Http, surface, isInvocation ? request.ServiceId : null);
        if (led.Refused is { } refusal)
        {
            throw RpcErrors.Of(refusal, null, led.Http.Response.Headers["x-request-id"]);
        }

        context.CancellationToken.ThrowIfCancellationRequested();
        if (led.IsAborted)
        {
            throw RpcErrors.Of(new CallRefusal(CallFailure.ProviderFailed, "The provider broke off its answer."), null, led.Http.Response.Headers["x-request-id"]);
        }

        await led.CompleteAsync();
    }

    public override async Task<CheckQuotaResponse> CheckQuota(CheckQuotaRequest request, ServerCallContext context)
    {
        var (found, refusal) = await standing.ReadAsync(context.GetHttpContext().Request);
        return refusal is not null
            ? throw RpcErrors.Of(refusal, null, Guid.CreateVersion7(time.GetUtcNow()).ToString())
            : new CheckQuotaResponse { KeyId = found!.Id.ToString(), Tier = found.Tier, ExpiresAt = Of(found.ExpiresAt), Key = Of(found.Key), Organisation = Of(found.Organisation) };
    }

    private static string Operations => string.Join(", ", Surface.All.Where(surface => !surface.TakesForm).Append(Surface.Invoke).Select(surface => surface.Name));

    private static Standing Of(ShowKey.Standing standing)
    {
        var message = new Standing
        {
            RequestsPerMinute = Of(standing.RequestsPerMinute),
            TokensPerMinute = Of(standing.TokensPerMinute),
            TokensPerMonth = standing.TokensPerMonth is { } month ? new Month { Limit = month.Limit, Remaining = month.Remaining, ResetsAt = Of(month.ResetsAt) } : null,
            OpenCalls = standing.OpenCalls,
            Budget = standing.Budget is not { } budget ? null : new Budget
            {
                Amount = Text(budget.Amount),
                Currency = budget.Currency,
                Period = budget.Period.ToString().ToLowerInvariant(),
                Spent = Text(budget.Spent),
                Remaining = Text(budget.Remaining),
                ResetsAt = Of(budget.ResetsAt),
            },
        };
        if (standing.ConcurrentCalls is { } most)
        {
            message.ConcurrentCalls = most;
        }

        return message;
    }

    private static Rate? Of(ShowKey.Rate? rate) =>
        rate is null ? null : new Rate { Limit = rate.Limit, Remaining = rate.Remaining, Reset = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(rate.ResetMs)) };

    private static Timestamp? Of(DateTimeOffset? at) => at?.ToTimestamp();

    private static string Text(decimal amount) => amount.ToString("0.##################", CultureInfo.InvariantCulture);
}
