using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmMarketplace.Storage;

/// <summary>Ready means migrated: a service whose tables lag behind its code must not be called. Asks the database once it was seen to be up to date no more.</summary>
internal sealed class MigratedHealthCheck<TContext>(IServiceScopeFactory scopes) : IHealthCheck
    where TContext : DbContext
{
    private volatile bool migrated;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (migrated)
        {
            return HealthCheckResult.Healthy();
        }

        await using var scope = scopes.CreateAsyncScope();
        var pending = await scope.ServiceProvider.GetRequiredService<TContext>().Database.GetPendingMigrationsAsync(cancellationToken).ConfigureAwait(false);
        migrated = !pending.Any();
        return migrated ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy($"Migrations are missing: run the host with --migrate ({string.Join(", ", pending)}).");
    }
}
