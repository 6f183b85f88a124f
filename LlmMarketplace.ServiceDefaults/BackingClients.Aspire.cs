using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.ServiceDefaults;

// The twin of BackingClients.Plain.cs: the Aspire client packages. What they collect by themselves is off, because Telemetry.cs collects it, once per process.
public static partial class BackingClients
{
    // The context is registered without retries, because transactions here span the change, its events and the consumer's position:
    // Aspire's default would make them throw.
    private static partial void AddDatabase<TContext>(WebApplicationBuilder builder)
        where TContext : DbContext =>
        builder.EnrichNpgsqlDbContext<TContext>(settings => (settings.DisableRetry, settings.DisableTracing, settings.DisableMetrics) = (true, true, true));

    private static partial void AddRedis(WebApplicationBuilder builder, string name) =>
        builder.AddRedisClient(
            name,
            settings => (settings.DisableAutoActivation, settings.DisableTracing) = (true, true), // Connects when first used, as the twin does.
            options => SetUp(builder, options));
}
