using System.Text.Json.Serialization;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmMarketplace.ServiceDefaults;

/// <summary>START HERE. What every service has in common, whichever way it runs.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>Adds the common parts. Call it first: what a service adds afterwards may rely on them.</summary>
    /// <param name="builder">The service's builder.</param>
    /// <param name="service">The service's name: lower case, for instance <c>publishing</c>. Names its audience, telemetry and documents.</param>
    public static WebApplicationBuilder AddServiceDefaults(this WebApplicationBuilder builder, string service)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton(new ServiceName(service));
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            Json.Configure(json.SerializerOptions);
            json.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow; // A misspelt limit would be no limit.
        });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);

        // What comes of a socket is already on a thread of the pool: to hand it to another one for the application, and back for the answer, costs two wake-ups a request. (It is unsafe only where sockets' completions run inline too.)
        builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        builder.AddLogLevels();
        builder.AddTelemetry(service);
        builder.AddHealth();
        builder.AddTokenValidation(service);
        builder.AddInternalClients();
        builder.AddProblems();
        builder.AddUnreadableRequests();
        builder.AddApiDocument(service);
        return builder;
    }

    /// <summary>Adds the middleware and endpoints of the common parts. Call it before the service's own endpoints.</summary>
    public static WebApplication MapServiceDefaults(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseRouting();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapHealth();
        app.MapApiDocument();
        return app;
    }

    /// <summary>With <c>--migrate</c>: migrates the service's database as its owner and exits. Otherwise runs the service until it is told to stop.</summary>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunOrMigrateAsync(this WebApplication app, string[] args)
    {
        ArgumentNullException.ThrowIfNull(app);
        ArgumentNullException.ThrowIfNull(args);
        if (args.Contains("--migrate"))
        {
            await app.Services.MigrateDatabasesAsync().ConfigureAwait(false);
            await app.DisposeAsync().ConfigureAwait(false);
            return 0;
        }

        await app.RunAsync().ConfigureAwait(false);
        return 0;
    }
}

/// <summary>The name of the service that an application is.</summary>
/// <param name="Value">Lower case, for instance <c>publishing</c>.</param>
public sealed record ServiceName(string Value);
