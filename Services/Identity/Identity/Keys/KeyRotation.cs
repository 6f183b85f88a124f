using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Identity.Keys;

/// <summary>
/// Keeps the keys of all instances in step. A key's life:
/// made and published → a day later used (all instances know it within a minute, and services read the key set every 12 hours) → 90 days later the next
/// one is used → 8 days later gone, when no refresh token (7 days) that it signed can be alive.
/// </summary>
internal sealed partial class KeyRotation(IServiceScopeFactory scopes, KeyRing ring, MasterKey master, TimeProvider time, ILogger<KeyRotation> logger) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromDays(90);
    public static readonly TimeSpan LeadTime = TimeSpan.FromDays(1);
    public static readonly TimeSpan Afterlife = Tokens.TokenServer.RefreshTokenLifetime + TimeSpan.FromDays(1);
    private static readonly TimeSpan Look = TimeSpan.FromMinutes(1);
    private const int RsaBits = 2048;

    /// <summary>Makes what is due, removes what is over, and brings this instance's ring up to date. Safe to run from all instances at once.</summary>
    /// <exception cref="InvalidOperationException">The stored keys were encrypted with another master key.</exception>
    public async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<IdentityDb>();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await db.Database.LockAsync(IdentityLock.Keys, cancellationToken).ConfigureAwait(false);

        var now = time.GetUtcNow();
        var stored = await db.Keys.ToListAsync(cancellationToken).ConfigureAwait(false);
        var opened = Open(stored); // Before anything is made: a ring that cannot be read must not be replaced.
        foreach (var use in Enum.GetValues<KeyUse>())
        {
            if (NextOf(use, stored, now) is { } next)
            {
                db.Keys.Add(next);
                opened.Add(RingKey.Open(next, master));
                Log.Made(logger, use, next.Id, next.ActiveFrom);
            }
        }

        var over = stored.Where(key => key.ExpiresAt <= now).ToList();
        db.Keys.RemoveRange(over);
        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);

        foreach (var key in over)
        {
            Log.Removed(logger, key.Use, key.Id);
        }

        ring.Replace(opened);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Look, time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            try
            {
                await RunOnceAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is Npgsql.NpgsqlException or DbUpdateException or TimeoutException)
            {
                Log.Later(logger, e);
            }
        }
    }

    private static StoredKey Retire(StoredKey key, DateTimeOffset from)
    {
        key.ExpiresAt ??= from + Afterlife;
        return key;
    }

    private StoredKey? NextOf(KeyUse use, List<StoredKey> stored, DateTimeOffset now)
    {
        var newest = stored.Where(key => key.Use == use).MaxBy(key => key.ActiveFrom);
        if (newest is not null && now < newest.ActiveFrom + Period - LeadTime)
        {
            return null;
        }

        var next = Make(use, newest is null ? now : now + LeadTime);
        foreach (var older in stored.Where(key => key.Use == use))
        {
            Retire(older, next.ActiveFrom);
        }

        return next;
    }

    private StoredKey Make(KeyUse use, DateTimeOffset activeFrom)
    {
        var id = Guid.CreateVersion7(time.GetUtcNow()).ToString("N");
        byte[] plain;
        if (use is KeyUse.Signing)
        {
            using var rsa = RSA.Create(RsaBits);
            plain = rsa.ExportPkcs8PrivateKey();
        }
        else
        {
            plain = RandomNumberGenerator.GetBytes(32);
        }

        var key = new StoredKey { Id = id, Use = use, Sealed = master.Seal(id, plain), ActiveFrom = activeFrom };
        CryptographicOperations.ZeroMemory(plain);
        return key;
    }

    private List<RingKey> Open(List<StoredKey> stored)
    {
        try
        {
            return [.. stored.Select(key => RingKey.Open(key, master))];
        }
        catch (CryptographicException e)
        {
            throw new InvalidOperationException(
                "The keys in the database 'identity' were not encrypted with the present Keys:Identity. Set Keys:Identity to the key that was used when this database was first started.", e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(4101, LogLevel.Information, "Made the {Use} key {Id}; it is used from {ActiveFrom:O} on.")]
        public static partial void Made(ILogger logger, KeyUse use, string id, DateTimeOffset activeFrom);

        [LoggerMessage(4102, LogLevel.Information, "Removed the {Use} key {Id}: nothing that it signed or encrypted is alive.")]
        public static partial void Removed(ILogger logger, KeyUse use, string id);

        [LoggerMessage(4103, LogLevel.Warning, "The keys could not be looked at; the present ones stay in use, and the next look is in a minute.")]
        public static partial void Later(ILogger logger, Exception exception);
    }
}
