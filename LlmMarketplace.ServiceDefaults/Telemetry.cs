using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>
/// Traces, metrics and logs by OpenTelemetry, sent by OTLP when <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set. Listeners are process-wide: when several services share a process,
/// its owner collects for all (<c>Telemetry:Shared</c> is true and <see cref="AddProcessTelemetry"/> is called once).
/// </summary>
public static class TelemetryExtensions
{
    private const string OwnSources = "LlmMarketplace.*";

    internal static void AddTelemetry(this WebApplicationBuilder builder, string service)
    {
        if (builder.Configuration["Telemetry:Shared"] == "true")
        {
            return;
        }

        builder.Services.AddProcessTelemetry(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"], resource => resource
            .AddService(builder.Configuration["OTEL_SERVICE_NAME"] ?? service, serviceNamespace: "llm-marketplace")
            .AddAttributes([new("marketplace.service", service)]));
    }

    /// <summary>Collects for the whole process; called once in it.</summary>
    /// <param name="services">The services of the application that owns the collection.</param>
    /// <param name="otlpEndpoint">Where to send; null: nowhere.</param>
    /// <param name="describe">Describes the process.</param>
    public static void AddProcessTelemetry(this IServiceCollection services, string? otlpEndpoint, Action<ResourceBuilder> describe)
    {
        var telemetry = services.AddOpenTelemetry()
            .ConfigureResource(describe)
            .WithTracing(tracing => tracing
                .AddSource(OwnSources, "Npgsql")
                .AddAspNetCoreInstrumentation(options => options.Filter = context => !context.Request.Path.StartsWithSegments("/health", StringComparison.Ordinal))
                .AddHttpClientInstrumentation())
            .WithMetrics(metrics => metrics
                .AddMeter(OwnSources, "Npgsql")
                .AddAspNetCoreInstrumentation()
                .AddHttpClientInstrumentation()
                .AddRuntimeInstrumentation());
        services.AddLogging(logging => logging.AddOpenTelemetry(options =>
        {
            options.IncludeFormattedMessage = true;
            options.IncludeScopes = true;
        }));
        if (!string.IsNullOrWhiteSpace(otlpEndpoint))
        {
            telemetry.UseOtlpExporter();
        }
    }
}
