using LlmMarketplace.Identity.Users;
using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.SignIn;

/// <summary>What a password was. To the outside all but <see cref="Right"/> look the same.</summary>
internal enum PasswordOutcome
{
    Right,
    Wrong,
    LockedOut,
    LockedByAdministrator,
    NoSuchUser,
}

/// <summary>
/// Checks passwords and stops guessing. An attempt is counted in the database before the password is looked at, so that many at once
/// count as many; the right password gives the attempts back. Unknown addresses cost as much time as known ones.
/// </summary>
internal sealed partial class PasswordCheck(IdentityDb db, UserManager<User> users, TimeProvider time, IdentityMetrics metrics, ILogger<PasswordCheck> logger)
{
    private static readonly User Nobody = new() { Name = "", CreatedAt = default };
    private static readonly Lazy<string> NobodysHash = new(() => new PasswordHasher<User>().HashPassword(Nobody, Guid.CreateVersion7().ToString()));

    public async Task<(PasswordOutcome Outcome, User? User)> CheckAsync(string email, string password, CancellationToken cancellationToken)
    {
        var user = await users.FindByEmailAsync(email).ConfigureAwait(false);
        if (user is null)
        {
            users.PasswordHasher.VerifyHashedPassword(Nobody, NobodysHash.Value, Bounded(password));
            metrics.SignIn(PasswordOutcome.NoSuchUser);
            Log.Unknown(logger);
            return (PasswordOutcome.NoSuchUser, null);
        }

        return (await CheckAsync(user, password, cancellationToken).ConfigureAwait(false), user);
    }

    public async Task<PasswordOutcome> CheckAsync(User user, string password, CancellationToken cancellationToken)
    {
        var outcome = await OutcomeAsync(user, Bounded(password), cancellationToken).ConfigureAwait(false);
        metrics.SignIn(outcome);
        if (outcome is not PasswordOutcome.Right)
        {
            Log.Refused(logger, user.Id, outcome);
        }

        return outcome;
    }

    private static string Bounded(string password) => password.Length <= PasswordRules.MaxLength ? password : "";

    private async Task<PasswordOutcome> OutcomeAsync(User user, string password, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var until = now + PasswordRules.LockOut;
        var admitted = await db.Users
            .Where(u => u.Id == user.Id && (u.LockoutEnd == null || u.LockoutEnd <= now))
            .ExecuteUpdateAsync(
                set => set
                    .SetProperty(u => u.LockoutEnd, u => u.AccessFailedCount + 1 >= PasswordRules.AttemptsUntilLockOut ? until : null)
                    .SetProperty(u => u.AccessFailedCount, u => u.AccessFailedCount + 1 >= PasswordRules.AttemptsUntilLockOut ? 0 : u.AccessFailedCount + 1),
                cancellationToken).ConfigureAwait(false) == 1;
        var verified = users.PasswordHasher.VerifyHashedPassword(user, user.PasswordHash ?? NobodysHash.Value, password);
        if (!admitted)
        {
            return PasswordOutcome.LockedOut;
        }

        if (verified is PasswordVerificationResult.Failed)
        {
            if (await db.Users.AnyAsync(u => u.Id == user.Id && u.LockoutEnd == until, cancellationToken).ConfigureAwait(false))
            {
                metrics.LockOut();
                Log.LockedOut(logger, user.Id, until);
            }

            return PasswordOutcome.Wrong;
        }

        await db.Users.Where(u => u.Id == user.Id).ExecuteUpdateAsync(
            set => set.SetProperty(u => u.LockoutEnd, (DateTimeOffset?)null).SetProperty(u => u.AccessFailedCount, 0),
            cancellationToken).ConfigureAwait(false);
        return user.LockedAt is null ? PasswordOutcome.Right : PasswordOutcome.LockedByAdministrator;
    }

    private static partial class Log
    {
        [LoggerMessage(4301, LogLevel.Warning, "A sign-in of the user {UserId} was refused: {Outcome}.")]
        public static partial void Refused(ILogger logger, Guid userId, PasswordOutcome outcome);

        [LoggerMessage(4302, LogLevel.Warning, "The user {UserId} is locked out until {Until:O} after too many failed attempts.")]
        public static partial void LockedOut(ILogger logger, Guid userId, DateTimeOffset until);

        [LoggerMessage(4303, LogLevel.Warning, "A sign-in was refused: there is no user with this address.")]
        public static partial void Unknown(ILogger logger);
    }
}
