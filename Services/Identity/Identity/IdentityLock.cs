using Microsoft.EntityFrameworkCore.Infrastructure;

namespace LlmMarketplace.Identity;

/// <summary>What only one transaction of all instances may do at a time.</summary>
internal enum IdentityLock : long
{
    /// <summary>Making and removing keys.</summary>
    Keys = 0x4C4C4D5F49440001,

    /// <summary>First-start data and clients from configuration.</summary>
    Start = 0x4C4C4D5F49440002,

    /// <summary>Whatever may take away the last administrator.</summary>
    Administrators = 0x4C4C4D5F49440003,
}

internal static class IdentityLocks
{
    /// <summary>Waits for the lock, and holds it until the present transaction ends.</summary>
    public static Task LockAsync(this DatabaseFacade database, IdentityLock what, CancellationToken cancellationToken) =>
        database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({(long)what})", cancellationToken);
}
