using LlmMarketplace.Consumption.Aliases;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Metering;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>Calls are answered from memory: until it is filled, and this instance can prove that it lives, none is.</summary>
internal sealed class Warmth(KeyMirror keys, BudgetMirror budgets, EndUserBudgetMirror endUsers, ListingMirror listings, OrganisationMirror organisations, AliasMirror aliases, InstanceLease lease, IAdmissionLog log, RunningCalls calls) : IHealthCheck
{
    private volatile bool warm;

    public bool IsWarm => warm || (warm = keys.Warm.IsCompleted && budgets.Warm.IsCompleted && endUsers.Warm.IsCompleted && listings.Warm.IsCompleted && organisations.Warm.IsCompleted && aliases.Warm.IsCompleted);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(
        calls.IsStopping ? HealthCheckResult.Unhealthy("This instance is stopping.")
        : !IsWarm ? HealthCheckResult.Unhealthy("The projections are not warm yet.")
        : !lease.Leased ? HealthCheckResult.Unhealthy("This instance holds no lease: neither the database nor Redis heard of it lately.")
        : log.Closed is { } reason ? HealthCheckResult.Unhealthy(reason)
        : HealthCheckResult.Healthy());
}
