using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.ServiceDefaults;

// The twin of BackingClients.Plain.cs: the Aspire client packages.
public static partial class BackingClients
{
    // The context is registered without retries, because transactions here span the change, its events and the consumer's position:
    // Aspire's default would make them throw.
    private static partial void AddDatabase<TContext>(WebApplicationBuilder builder)
        where TContext : DbContext =>
        builder.EnrichNpgsqlDbContext<TContext>(settings => settings.DisableRetry = true);

    private static partial void AddRedis(WebApplicationBuilder builder, string name) =>
        builder.AddRedisClient(name, configureOptions: options => options.AbortOnConnectFail = false);
}
