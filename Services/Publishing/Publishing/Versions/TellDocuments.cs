using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>Tells, at start, the OpenAPI documents of versions that were published before documents were told: nobody could call them. Every instance may do it: the listing's row is locked.</summary>
internal sealed partial class TellDocuments(IServiceScopeFactory scopes, TimeProvider time, ILogger<TellDocuments> logger) : BackgroundService
{
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(5);
    private static readonly VersionStatus[] Published = [VersionStatus.Active, VersionStatus.Deprecated, VersionStatus.Suspended];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await RunAsync(stoppingToken).ConfigureAwait(false);
                return;
            }
            catch (Exception failure) when (failure is DbUpdateException or Npgsql.NpgsqlException or InvalidOperationException or TimeoutException)
            {
                Log.Failed(logger, failure);
                await Task.Delay(Again, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Looks once.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var looking = scopes.CreateAsyncScope();
        var db = looking.ServiceProvider.GetRequiredService<PublishingDb>();
        var documents = await db.Versions.Where(version => version.OpenApi != null && Published.Contains(version.Status)).Select(version => new { version.ListingId, version.Id }).ToListAsync(cancellationToken).ConfigureAwait(false);
        foreach (var one in documents)
        {
            if (await IsToldAsync(db, one.Id, cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            await using var scope = scopes.CreateAsyncScope();
            var desk = scope.ServiceProvider.GetRequiredService<ListingDesk>();
            var listing = await desk.OpenAsync(one.ListingId, cancellationToken).ConfigureAwait(false);
            var version = listing!.Versions.Single(version => version.Id == one.Id);
            if (version.Specification!.Endpoint.Protocol == EndpointProtocol.Rest && !await IsToldAsync(scope.ServiceProvider.GetRequiredService<PublishingDb>(), one.Id, cancellationToken).ConfigureAwait(false))
            {
                desk.AnnounceDocument(version);
                Log.Told(logger, listing.Provider, listing.Name, version.Version);
            }

            await desk.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // What is published of a document stays in the outbox: its topic keeps the newest of each key.
    private static async Task<bool> IsToldAsync(PublishingDb db, Guid version, CancellationToken cancellationToken) =>
        (await db.Database.SqlQuery<bool>($"SELECT EXISTS (SELECT FROM messaging.outbox WHERE topic = {PublishingEvents.OpenApiDocuments} AND key = {version}) AS \"Value\"").ToListAsync(cancellationToken).ConfigureAwait(false)).Single();

    private static partial class Log
    {
        [LoggerMessage(6033, LogLevel.Information, "The OpenAPI document of {Provider}/{Name}@{Version} was not told when it was published: it is now.")]
        public static partial void Told(ILogger logger, string provider, string name, string version);

        [LoggerMessage(6034, LogLevel.Error, "OpenAPI documents that were not told when they were published could not be told; it is tried again.")]
        public static partial void Failed(ILogger logger, Exception failure);
    }
}
