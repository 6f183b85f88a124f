using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace LlmMarketplace.ServiceDefaults;

// The twin of BackingClients.Aspire.cs: the same clients from the plain libraries.
public static partial class BackingClients
{
    private static partial void AddDatabase<TContext>(WebApplicationBuilder builder)
        where TContext : DbContext =>
        builder.Services.AddHealthChecks().AddDbContextCheck<TContext>(typeof(TContext).Name);

    private static partial void AddRedis(WebApplicationBuilder builder, string name)
    {
        builder.Services.AddSingleton<IConnectionMultiplexer>(services =>
        {
            var address = services.GetRequiredService<IConfiguration>().GetConnectionString(name) is { Length: > 0 } found
                ? found
                : throw new InvalidOperationException($"ConnectionStrings:{name} is not set. Set it to the address of Redis, for instance by the environment variable ConnectionStrings__{name}.");
            var options = ConfigurationOptions.Parse(address);
            SetUp(builder, options);
            return ConnectionMultiplexer.Connect(options);
        });
        builder.Services.AddSingleton<RedisHealthCheck>();
        builder.Services.AddHealthChecks().AddCheck<RedisHealthCheck>("StackExchange.Redis");
    }

    private sealed class RedisHealthCheck(IServiceProvider services) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            var took = await services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy($"{took.TotalMilliseconds:F1} ms");
        }
    }
}
