using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>Retires versions whose sunset has come. Every instance may do it: the listing's row is locked, and who comes second finds it done.</summary>
internal sealed partial class SunsetWatch(IServiceScopeFactory scopes, TimeProvider time, ILogger<SunsetWatch> logger) : BackgroundService
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(LookEvery, time);
        do
        {
            try
            {
                await RetireAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception failure) when (failure is DbUpdateException or Npgsql.NpgsqlException or InvalidOperationException or TimeoutException)
            {
                Log.Failed(logger, failure);
            }
        }
        while (await tick.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    private async Task RetireAsync(CancellationToken cancellationToken)
    {
        await using var looking = scopes.CreateAsyncScope();
        var now = time.GetUtcNow();
        var due = await looking.ServiceProvider.GetRequiredService<PublishingDb>().Versions
            .Where(version => version.SunsetAt <= now && (version.Status == VersionStatus.Deprecated || version.Status == VersionStatus.Suspended))
            .Select(version => new { version.ListingId, version.Id })
            .ToListAsync(cancellationToken).ConfigureAwait(false);
        foreach (var version in due)
        {
            await using var scope = scopes.CreateAsyncScope();
            var desk = scope.ServiceProvider.GetRequiredService<ListingDesk>();
            var listing = await desk.OpenAsync(version.ListingId, cancellationToken).ConfigureAwait(false);
            if (listing!.Versions.Single(one => one.Id == version.Id) is { } found && found.SunsetAt <= now && found.TryBecome(VersionStatus.Retired, now))
            {
                found.StatusReason = "Its sunset has come.";
                desk.Announce(listing, ChangeCauses.Retired);
                await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
                Log.Retired(logger, listing.Provider, listing.Name, found.Version);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(6031, LogLevel.Information, "The sunset of {Provider}/{Name}@{Version} has come: it is retired.")]
        public static partial void Retired(ILogger logger, string provider, string name, string version);

        [LoggerMessage(6032, LogLevel.Error, "Looking for versions whose sunset has come failed; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
