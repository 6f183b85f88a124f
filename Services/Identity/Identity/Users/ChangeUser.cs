using System.Security.Cryptography;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Memberships;
using LlmMarketplace.Identity.Tokens;

namespace LlmMarketplace.Identity.Users;

/// <summary>What to change; members that are not there stay as they are.</summary>
/// <param name="Name">Name for people.</param>
/// <param name="Locked">True keeps the person out until false lets them in again; false also ends a lock-out after failed attempts.</param>
internal sealed record UserChange(string? Name, bool? Locked);

/// <summary>PATCH /api/v1/users/{id}.</summary>
internal static partial class ChangeUser
{
    public static async Task<Results<Ok<UserView>, ProblemHttpResult>> HandleAsync(
        Guid id, UserChange request, Caller caller, IdentityDb db, Revocation revocation, TimeProvider time, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(request.Name is null ? null : Checks.Name(request.Name)) is { } invalid)
        {
            return invalid;
        }

        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await db.Database.LockAsync(IdentityLock.Administrators, cancellationToken).ConfigureAwait(false);
        var user = await db.Users.SingleOrDefaultAsync(u => u.Id == id, cancellationToken).ConfigureAwait(false);
        if (user is null)
        {
            return Problems.NotFound("The user");
        }

        if (request.Locked is not null && caller.UserId == id)
        {
            return Refusal.SelfChange.ToProblem();
        }

        if (request.Locked is true && !await Administrators.OtherThanAsync(db, id, cancellationToken).ConfigureAwait(false))
        {
            return Refusal.LastAdministrator.ToProblem();
        }

        user.Name = request.Name?.Trim() ?? user.Name;
        user.LockedAt = request.Locked switch { true => user.LockedAt ?? time.GetUtcNow(), false => null, null => user.LockedAt };
        if (request.Locked is true)
        {
            user.SecurityStamp = Convert.ToHexString(RandomNumberGenerator.GetBytes(20)); // Sessions end, and stay ended when the lock does.
        }
        else if (request.Locked is false)
        {
            (user.LockoutEnd, user.AccessFailedCount) = (null, 0);
        }

        await db.SaveChangesAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (request.Locked is true)
        {
            await revocation.OfSubjectAsync(id, cancellationToken).ConfigureAwait(false);
            Log.Locked(loggers.CreateLogger(typeof(ChangeUser)), id, caller.Subject);
        }

        return TypedResults.Ok(await UserViews.OfAsync(db, user, cancellationToken).ConfigureAwait(false));
    }

    private static partial class Log
    {
        [LoggerMessage(4201, LogLevel.Information, "The user {UserId} was locked by {By}.")]
        public static partial void Locked(ILogger logger, Guid userId, string by);
    }
}
