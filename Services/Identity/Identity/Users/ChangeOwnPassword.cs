using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using LlmMarketplace.Identity.SignIn;
using LlmMarketplace.Identity.Tokens;
using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.Users;

/// <summary>The present and the new password.</summary>
/// <param name="CurrentPassword">As it is now.</param>
/// <param name="NewPassword">12 to 256 characters.</param>
internal sealed record PasswordChange([property: Required] string? CurrentPassword, [property: Required] string? NewPassword);

/// <summary>POST /api/v1/me/password: ends one's sessions and refresh tokens everywhere. Wrong attempts count towards the lock-out.</summary>
internal static class ChangeOwnPassword
{
    public static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        PasswordChange request, Caller caller, PasswordCheck check, UserManager<User> users, Revocation revocation, CancellationToken cancellationToken)
    {
        if (caller.UserId is not { } id)
        {
            return Refusal.NotAPerson.ToProblem();
        }

        if (Checks.Refuse(Checks.Password(request.NewPassword, "/newPassword")) is { } invalid)
        {
            return invalid;
        }

        if (await users.FindByIdAsync(id.ToString()).ConfigureAwait(false) is not { } user
            || await check.CheckAsync(user, request.CurrentPassword ?? "", cancellationToken).ConfigureAwait(false) is not PasswordOutcome.Right)
        {
            return Refusal.WrongPassword.ToProblem();
        }

        if (!await ResetPassword.ReplaceAsync(users, user, request.NewPassword!).ConfigureAwait(false))
        {
            return Refusal.ChangedMeanwhile.ToProblem();
        }

        await revocation.OfSubjectAsync(id, cancellationToken).ConfigureAwait(false);
        return TypedResults.NoContent();
    }
}
