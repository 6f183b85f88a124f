using System.Text.Json;
using LlmMarketplace.Gateway.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmMarketplace.Gateway.Readiness;

/// <summary>
/// Makes the gateway's <c>/health/ready</c> that of the whole marketplace: one check per service, named after it. Unready while any is; a degraded service makes it degraded,
/// which is still ready.
/// </summary>
internal static class ReadinessExtensions
{
    public static void AddReadiness(this WebApplicationBuilder builder)
    {
        builder.Services.AddHttpClient(ServiceReadiness.Client, client => client.Timeout = TimeSpan.FromSeconds(5))
            .UseSocketsHttpHandler(static (handler, _) => (handler.UseProxy, handler.AllowAutoRedirect) = (false, false))
            .AddServiceDiscovery();
        var checks = builder.Services.AddHealthChecks();
        foreach (var service in RouteTable.Services)
        {
            checks.Add(new HealthCheckRegistration(service, services => new ServiceReadiness(services.GetRequiredService<IHttpClientFactory>(), service), HealthStatus.Unhealthy, tags: null));
        }
    }
}

/// <summary>Asks one service whether it is ready.</summary>
internal sealed class ServiceReadiness(IHttpClientFactory clients, string service) : IHealthCheck
{
    public const string Client = "gateway-readiness";

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            using var client = clients.CreateClient(Client);
            using var answer = await client.GetAsync(new Uri($"http://{service}/health/ready"), cancellationToken).ConfigureAwait(false);
            if (!answer.IsSuccessStatusCode)
            {
                return HealthCheckResult.Unhealthy($"answered {(int)answer.StatusCode}");
            }

            var body = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken).ConfigureAwait(false);
            return document.RootElement.TryGetProperty("status", out var status) && status.GetString() == "degraded"
                ? HealthCheckResult.Degraded("works with less")
                : HealthCheckResult.Healthy("ready");
        }
        catch (Exception failure) when (failure is HttpRequestException or JsonException or InvalidOperationException || (failure is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return HealthCheckResult.Unhealthy(failure is OperationCanceledException ? "did not answer in time" : "cannot be reached");
        }
    }
}
