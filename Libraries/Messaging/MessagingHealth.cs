using System.Collections.Concurrent;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace LlmMarketplace.Messaging;

/// <summary>What messaging waits for. A service whose broker or neighbour is away is degraded, not unready: it goes on with what it knows.</summary>
internal sealed class MessagingHealth : IHealthCheck
{
    private readonly ConcurrentDictionary<string, string> waiting = new();

    /// <summary>Tells that <paramref name="part"/> waits.</summary>
    public void Waits(string part, string why) => waiting[part] = why;

    /// <summary>Tells that <paramref name="part"/> works (again).</summary>
    public void Works(string part) => waiting.TryRemove(part, out _);

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(waiting.IsEmpty
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(string.Join(" ", waiting.OrderBy(part => part.Key).Select(part => $"{part.Key}: {part.Value}"))));
}
