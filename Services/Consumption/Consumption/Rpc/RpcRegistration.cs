using Grpc.AspNetCore.Server;
using LlmMarketplace.Consumption.Calls;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Rpc;

/// <summary>gRPC: <c>marketplace.v1.ConsumptionService</c>, and reflection, by which tools such as grpcurl learn of it.</summary>
internal static class RpcRegistration
{
    // What frames a body of the largest size in its message.
    private const int Frame = 64 * 1024;

    public static void AddRpc(this IServiceCollection services)
    {
        services.AddCleartextHttp2();
        services.AddGrpc(options => options.IgnoreUnknownServices = true);
        services.AddOptions<GrpcServiceOptions>().Configure<IOptions<CallOptions>>(static (grpc, calls) => grpc.MaxReceiveMessageSize = calls.Value.MaxRequestBytes + Frame);
        services.AddGrpcReflection();
    }

    public static void MapRpc(this WebApplication app)
    {
        app.MapGrpcService<ConsumptionRpc>().AllowAnonymous();
        app.MapGrpcReflectionService().AllowAnonymous();
    }
}
