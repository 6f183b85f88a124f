using System.ComponentModel.DataAnnotations;
using LlmMarketplace.Identity.Access;
using Microsoft.AspNetCore.Identity;

namespace LlmMarketplace.Identity.Users;

/// <summary>A new person. They can do nothing until a membership is given.</summary>
/// <param name="Email">Address that they sign in with.</param>
/// <param name="Name">Name for people; the address when not said.</param>
/// <param name="Password">12 to 256 characters.</param>
internal sealed record NewUser([property: Required] string? Email, string? Name, [property: Required] string? Password);

/// <summary>POST /api/v1/users.</summary>
internal static class CreateUser
{
    public static async Task<Results<Created<UserView>, ProblemHttpResult>> HandleAsync(
        NewUser request, IdentityDb db, UserManager<User> users, TimeProvider time, CancellationToken cancellationToken)
    {
        if (Checks.Refuse(Checks.Email(request.Email), request.Name is null ? null : Checks.Name(request.Name), Checks.Password(request.Password)) is { } invalid)
        {
            return invalid;
        }

        var now = time.GetUtcNow();
        var user = Make(request.Email!, request.Name, now);
        try
        {
            var made = await users.CreateAsync(user, request.Password!).ConfigureAwait(false);
            if (!made.Succeeded)
            {
                return made.Errors.Any(error => error.Code.StartsWith("Duplicate", StringComparison.Ordinal))
                    ? Refusal.EmailTaken.ToProblem()
                    : Problems.Invalid([.. made.Errors.Select(error => new Issue("invalid_request", "", error.Description))]);
            }
        }
        catch (DbUpdateException e) when (e.InnerException is Npgsql.PostgresException { SqlState: Npgsql.PostgresErrorCodes.UniqueViolation })
        {
            return Refusal.EmailTaken.ToProblem();
        }

        return TypedResults.Created($"/api/v1/users/{user.Id}", await UserViews.OfAsync(db, user, cancellationToken).ConfigureAwait(false));
    }

    public static User Make(string email, string? name, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        UserName = email,
        Email = email,
        EmailConfirmed = true, // An administrator vouches for it; nothing is sent to it.
        Name = name?.Trim() ?? email,
        CreatedAt = now,
    };
}
