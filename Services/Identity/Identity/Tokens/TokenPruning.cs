using Microsoft.Extensions.Hosting;
using OpenIddict.Abstractions;

namespace LlmMarketplace.Identity.Tokens;

/// <summary>Removes the records of tokens and authorizations that have ended, once an hour. Any instance may; twice does no harm.</summary>
internal sealed partial class TokenPruning(IServiceScopeFactory scopes, TimeProvider time, ILogger<TokenPruning> logger) : BackgroundService
{
    /// <summary>Longer than a refresh token lives, so that the reuse of a redeemed one is still noticed.</summary>
    private static readonly TimeSpan Kept = TokenServer.RefreshTokenLifetime + TimeSpan.FromDays(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                var before = time.GetUtcNow() - Kept;
                var tokens = await scope.ServiceProvider.GetRequiredService<IOpenIddictTokenManager>().PruneAsync(before, stoppingToken).ConfigureAwait(false);
                var authorizations = await scope.ServiceProvider.GetRequiredService<IOpenIddictAuthorizationManager>().PruneAsync(before, stoppingToken).ConfigureAwait(false);
                Log.Pruned(logger, tokens, authorizations);
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or DbUpdateException or AggregateException or TimeoutException)
            {
                Log.Later(logger, e);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4401, LogLevel.Debug, "Removed the records of {Tokens} tokens and {Authorizations} authorizations that have ended.")]
        public static partial void Pruned(ILogger logger, long tokens, long authorizations);

        [LoggerMessage(4402, LogLevel.Warning, "Ended tokens could not be removed; the next attempt is in an hour.")]
        public static partial void Later(ILogger logger, Exception exception);
    }
}
