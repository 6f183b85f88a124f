using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.Tokens;
using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.Users;

/// <summary>A password that an administrator gives.</summary>
/// <param name="Password">12 to 256 characters.</param>
internal sealed record NewPassword([property: Required] string? Password);

/// <summary>POST /api/v1/users/{id}/password: ends the person's sessions and refresh tokens, and a lock-out after failed attempts.</summary>
internal static partial class ResetPassword
{
    public static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        Guid id, NewPassword request, Caller caller, UserManager<User> users, Revocation revocation, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(Checks.Password(request.Password)) is { } invalid)
        {
            return invalid;
        }

        if (await users.FindByIdAsync(id.ToString()).ConfigureAwait(false) is not { } user)
        {
            return Problems.NotFound("The user");
        }

        if (!await ReplaceAsync(users, user, request.Password!).ConfigureAwait(false))
        {
            return Refusal.ChangedMeanwhile.ToProblem();
        }

        await revocation.OfSubjectAsync(id, cancellationToken).ConfigureAwait(false);
        Log.Reset(loggers.CreateLogger(typeof(ResetPassword)), id, caller.Subject);
        return TypedResults.NoContent();
    }

    /// <summary>Sets the password and a new security stamp, which ends every session. False when the user was changed at the same moment.</summary>
    public static async Task<bool> ReplaceAsync(UserManager<User> users, User user, string password)
    {
        user.PasswordHash = users.PasswordHasher.HashPassword(user, password);
        (user.LockoutEnd, user.AccessFailedCount) = (null, 0);
        return (await users.UpdateSecurityStampAsync(user).ConfigureAwait(false)).Succeeded;
    }

    private static partial class Log
    {
        [LoggerMessage(4211, LogLevel.Information, "The password of the user {UserId} was reset by {By}.")]
        public static partial void Reset(ILogger logger, Guid userId, string by);
    }
}
